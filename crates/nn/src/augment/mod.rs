//! Random changes of training images: drawn on the host for each image of each step, done on the device by
//! [`Graph::sample_images`](chiaro_graph::Graph::sample_images), so that every backend sees the same pixels.

mod colours;
mod draws;
mod geometry;
mod mix;
mod policy;
#[cfg(test)]
mod tests;

pub use draws::StepKey;

use crate::error::{NnError, Result};
use chiaro_graph::{Edge, MIXED_CHANNELS};

/// Random changes of training images, drawn anew for each image of each step. They are done in this order: tones (posterize, solarize,
/// equalize), crop, mirror, rotation to perspective, blur, colours, erasing, mixing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Augment {
    /// Shift by up to so many pixels in each direction; 0 for none. The same as padding by that many pixels and cropping to the old
    /// size.
    pub crop: usize,
    /// What comes in where an image does not reach.
    pub edge: Edge,
    /// Take a random part of the image and stretch it to its whole size: the least share of its area. The aspect is changed by up to
    /// 4/3.
    pub resized_crop: Option<f64>,
    /// Mirror left to right.
    pub flip: Flip,
    /// Share of images that are turned upside down.
    pub vertical_flip: f64,
    /// Largest rotation, in degrees.
    pub rotate: f64,
    /// Largest shear in either direction, in degrees.
    pub shear: f64,
    /// Largest shift in either direction, as a share of the side.
    pub translate: f64,
    /// How far the corners move inwards in perspective, as a share of half the side.
    pub perspective: f64,
    /// Brightness is multiplied by 1 plus or minus up to this.
    pub brightness: f64,
    /// Contrast, around the grey of the data set's mean.
    pub contrast: f64,
    /// Saturation.
    pub saturation: f64,
    /// Hue is turned by up to this share of the circle (0.5 for all colours), with brightness kept (in YIQ).
    pub hue: f64,
    /// Share of images that lose their colours.
    pub grey: f64,
    /// Share of images that are blurred.
    pub blur: f64,
    /// Share of images of which 4 bits are kept.
    pub posterize: f64,
    /// Share of images whose upper half of values is inverted.
    pub solarize: f64,
    /// Share of images whose values are spread evenly.
    pub equalize: f64,
    /// Several of the above with random strength.
    pub policy: Policy,
    /// Share of images of which a rectangle is erased (arXiv:1708.04896).
    pub erase: f64,
    /// MixUp (arXiv:1710.09412): alpha of the Beta distribution of shares; 0 for none.
    pub mixup: f64,
    /// CutMix (arXiv:1905.04899): alpha of the Beta distribution of areas; 0 for none. With both, each step has one of them.
    pub cutmix: f64,
    /// Share of the steps that mix at all, where `mixup` or `cutmix` has them do so.
    pub mixed: f64,
}

/// Which images are mirrored.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Flip {
    /// None.
    #[default]
    Never,
    /// This share of them.
    Random(f64),
    /// Half of them in the first epoch, the other half in the next, and so on (arXiv:2404.00498): no image is seen the same way in
    /// two epochs that follow. Steps that are not told which images they have mirror half of them at random.
    Alternating,
}

/// Changes that are themselves chosen at random.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Policy {
    /// None.
    #[default]
    None,
    /// RandAugment (arXiv:1909.13719): so many changes of an image, each as strong as the magnitude, 0 to 30.
    Rand {
        /// Changes an image.
        changes: usize,
        /// Strength.
        magnitude: f64,
    },
    /// TrivialAugment (arXiv:2103.10158): one change of an image, of any strength.
    Trivial,
}

impl Default for Augment {
    fn default() -> Augment {
        Augment {
            crop: 0,
            edge: Edge::Mean,
            resized_crop: None,
            flip: Flip::Never,
            vertical_flip: 0.0,
            rotate: 0.0,
            shear: 0.0,
            translate: 0.0,
            perspective: 0.0,
            brightness: 0.0,
            contrast: 0.0,
            saturation: 0.0,
            hue: 0.0,
            grey: 0.0,
            blur: 0.0,
            posterize: 0.0,
            solarize: 0.0,
            equalize: 0.0,
            policy: Policy::None,
            erase: 0.0,
            mixup: 0.0,
            cutmix: 0.0,
            mixed: 1.0,
        }
    }
}

impl Augment {
    pub(crate) fn check(&self, [h, w, c]: [usize; 3]) -> Result<()> {
        let refused = |text: String| Err(NnError::Option(text));
        if self.crop >= h.min(w).max(1) {
            return refused(format!("a crop by {} pixels of images of {h}x{w}", self.crop));
        }
        for (name, value, most) in self.numbers() {
            if !(0.0..=most).contains(&value) {
                return refused(format!("{name} of augmentation is {value}; it goes from 0 to {most}"));
            }
        }
        if let Policy::Rand { magnitude, .. } = self.policy
            && !(0.0..=policy::LARGEST_MAGNITUDE).contains(&magnitude)
        {
            let most = policy::LARGEST_MAGNITUDE;
            return refused(format!("RandAugment's magnitude is {magnitude}; it goes from 0 to {most}"));
        }
        if self.colours() && c != 1 && c != 3 {
            return refused(format!(
                "colours can be changed of images of 1 or 3 channels, not of {c}; \
                 changes of geometry alone, as \"light\" has them, fit any"
            ));
        }
        if (self.changes() || self.tones()) && c > MIXED_CHANNELS {
            return refused(format!(
                "blur, erasing, mixing and tones are for at most {MIXED_CHANNELS} channels, not {c}"
            ));
        }
        Ok(())
    }

    /// The numbers with their names and largest values.
    fn numbers(&self) -> [(&'static str, f64, f64); 21] {
        let flip = if let Flip::Random(share) = self.flip { share } else { 0.0 };
        [
            ("the least area of a resized crop", self.resized_crop.unwrap_or(1.0), 1.0),
            ("flip", flip, 1.0),
            ("vertical flip", self.vertical_flip, 1.0),
            ("rotate", self.rotate, 180.0),
            ("shear", self.shear, 60.0),
            ("translate", self.translate, 1.0),
            ("perspective", self.perspective, 0.9),
            ("brightness", self.brightness, 1.0),
            ("contrast", self.contrast, 1.0),
            ("saturation", self.saturation, 1.0),
            ("hue", self.hue, 0.5),
            ("grey", self.grey, 1.0),
            ("blur", self.blur, 1.0),
            ("posterize", self.posterize, 1.0),
            ("solarize", self.solarize, 1.0),
            ("equalize", self.equalize, 1.0),
            ("posterize, solarize and equalize together", self.posterize + self.solarize + self.equalize, 1.0),
            ("erase", self.erase, 1.0),
            ("mixup", self.mixup, 100.0),
            ("cutmix", self.cutmix, 100.0),
            ("mix", self.mixed, 1.0),
        ]
    }

    /// Whether images are moved.
    pub(crate) fn places(&self) -> bool {
        let moves = [self.vertical_flip, self.rotate, self.shear, self.translate, self.perspective];
        self.crop > 0
            || self.resized_crop.is_some()
            || self.flip != Flip::Never
            || moves.iter().any(|by| *by > 0.0)
            || self.policy != Policy::None
    }

    /// Whether colours are changed.
    pub(crate) fn colours(&self) -> bool {
        let by = [self.brightness, self.contrast, self.saturation, self.hue, self.grey];
        by.iter().any(|by| *by > 0.0) || self.policy != Policy::None
    }

    /// Whether images are blurred, erased or mixed.
    pub(crate) fn changes(&self) -> bool {
        self.blur > 0.0 || self.erase > 0.0 || self.mixes() || self.policy != Policy::None
    }

    /// Whether bytes are changed by tables.
    pub(crate) fn tones(&self) -> bool {
        self.posterize + self.solarize + self.equalize > 0.0 || self.policy != Policy::None
    }

    /// Whether images, and with them targets, are mixed.
    pub(crate) fn mixes(&self) -> bool {
        self.mixup > 0.0 || self.cutmix > 0.0
    }
}
