//! Random changes of training images, as a list of words: a level, and single changes with their numbers.

use std::collections::BTreeMap;

use chiaro_graph::Edge;
use chiaro_nn::{Augment, Flip, Policy};
use serde_json::Value;

use super::value::{Choice, SettingValue};

/// A change that a list can name.
struct Change {
    choice: Choice,
    /// The number where none is given.
    usual: f64,
    /// The largest number; the smallest is 0, which is none.
    most: f64,
    /// Puts it into the changes of images of this size.
    put: fn(&mut Augment, f64, [usize; 2]),
}

const fn change(
    name: &'static str,
    help: &'static str,
    [usual, most]: [f64; 2],
    put: fn(&mut Augment, f64, [usize; 2]),
) -> Change {
    Change { choice: Choice { name, help }, usual, most, put }
}

/// Every change, in the order in which it is shown.
const CHANGES: &[Change] = &[
    change("crop", "Shift by up to this share of the longer side", [0.125, 0.9], |a, by, [h, w]| {
        // Something of the image must be left.
        a.crop = ((h.max(w) as f64 * by).ceil() as usize).min(h.min(w).saturating_sub(1));
    }),
    change(
        "scale",
        "Stretch a random part to the whole size: its least share of the area",
        [0.35, 1.0],
        |a, least, _| {
            a.resized_crop = Some(least);
        },
    ),
    change(
        "reflect",
        "Mirror the image at its edges, where otherwise the mean colour comes in",
        [1.0, 1.0],
        |a, _, _| {
            a.edge = Edge::Reflect;
        },
    ),
    change("flip", "Mirror this share of the images, left to right", [0.5, 1.0], |a, by, _| a.flip = Flip::Random(by)),
    change("altflip", "Mirror half of the images in one epoch, the others in the next", [1.0, 1.0], |a, _, _| {
        a.flip = Flip::Alternating;
    }),
    change("vflip", "Turn this share of the images upside down", [0.5, 1.0], |a, by, _| a.vertical_flip = by),
    change("rotate", "Turn by up to so many degrees", [15.0, 180.0], |a, by, _| a.rotate = by),
    change("shear", "Shear by up to so many degrees", [10.0, 60.0], |a, by, _| a.shear = by),
    change("translate", "Shift by up to this share of the sides", [0.1, 1.0], |a, by, _| a.translate = by),
    change("perspective", "Move the corners inwards by up to this share of half the sides", [0.3, 0.9], |a, by, _| {
        a.perspective = by;
    }),
    change("brightness", "Change brightness by up to this share", [0.3, 1.0], |a, by, _| a.brightness = by),
    change("contrast", "Change contrast by up to this share", [0.3, 1.0], |a, by, _| a.contrast = by),
    change("saturation", "Change saturation by up to this share", [0.3, 1.0], |a, by, _| a.saturation = by),
    change("hue", "Turn hues by up to this share of the circle", [0.03, 0.5], |a, by, _| a.hue = by),
    change("grey", "Take the colours from this share of the images", [0.1, 1.0], |a, by, _| a.grey = by),
    change("blur", "Blur this share of the images", [0.1, 1.0], |a, by, _| a.blur = by),
    change("posterize", "Keep 4 bits of this share of the images", [0.1, 1.0], |a, by, _| a.posterize = by),
    change("solarize", "Invert the upper half of the values of this share of the images", [0.1, 1.0], |a, by, _| {
        a.solarize = by
    }),
    change("equalize", "Spread the values of this share of the images evenly", [0.1, 1.0], |a, by, _| a.equalize = by),
    change("rand", "RandAugment: two changes an image, of this magnitude", [9.0, 30.0], |a, magnitude, _| {
        a.policy = Policy::Rand { changes: 2, magnitude };
    }),
    change("trivial", "TrivialAugment: one change an image, of any strength", [1.0, 1.0], |a, _, _| {
        a.policy = Policy::Trivial
    }),
    change("erase", "Erase a rectangle of this share of the images", [0.25, 1.0], |a, by, _| a.erase = by),
    change("mixup", "MixUp: alpha of the distribution of shares", [0.2, 100.0], |a, alpha, _| a.mixup = alpha),
    change("cutmix", "CutMix: alpha of the distribution of areas", [1.0, 100.0], |a, alpha, _| a.cutmix = alpha),
    change("mix", "Of the steps, this share alone mixes (mixup, cutmix)", [0.5, 1.0], |a, share, _| a.mixed = share),
];

/// Changes that are there or not.
const SWITCHES: [&str; 3] = ["reflect", "altflip", "trivial"];

/// Changes that take each other's place: one that is named takes that of a level.
const INSTEAD: [[&str; 2]; 2] = [["flip", "altflip"], ["rand", "trivial"]];

/// Several changes under one name.
const LEVELS: &[(Choice, &[(&str, f64)])] = &[
    (Choice { name: "none", help: "Leave the images as they are" }, &[]),
    (Choice { name: "light", help: "crop=0.125,flip=0.5" }, &[("crop", 0.125), ("flip", 0.5)]),
    (
        Choice {
            name: "medium",
            help: "For photos: scale=0.5,flip=0.5,rotate=10,brightness=0.2,contrast=0.2,saturation=0.2",
        },
        &[("scale", 0.5), ("flip", 0.5), ("rotate", 10.0), ("brightness", 0.2), ("contrast", 0.2), ("saturation", 0.2)],
    ),
    (
        Choice {
            name: "heavy",
            help: "For photos and many epochs: scale=0.25,flip=0.5,rand=9,erase=0.25,mixup=0.2,cutmix=1",
        },
        &[("scale", 0.25), ("flip", 0.5), ("rand", 9.0), ("erase", 0.25), ("mixup", 0.2), ("cutmix", 1.0)],
    ),
    (
        Choice {
            name: "photos",
            help: "For few photos and many epochs, with smooth changes alone: \
                   scale=0.25,flip=0.5,rotate=20,brightness=0.3,contrast=0.3,saturation=0.3,erase=0.25,cutmix=1",
        },
        &[
            ("scale", 0.25),
            ("flip", 0.5),
            ("rotate", 20.0),
            ("brightness", 0.3),
            ("contrast", 0.3),
            ("saturation", 0.3),
            ("erase", 0.25),
            ("cutmix", 1.0),
        ],
    ),
    (
        Choice {
            name: "digits",
            help: "For characters, which are not to be mirrored: rotate=8,shear=5,translate=0.06",
        },
        &[("rotate", 8.0), ("shear", 5.0), ("translate", 0.06)],
    ),
];

/// Random changes of training images: a level, if one was named, and single changes beside or instead of its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Augmentation {
    level: Option<&'static str>,
    /// Positions in the table, with their numbers.
    own: BTreeMap<usize, f64>,
}

impl Augmentation {
    /// What is done to images of this height and width.
    pub fn of_images(&self, size: [usize; 2]) -> Augment {
        let mut augment = Augment::default();
        for (at, by) in self.all().into_iter().filter(|(_, by)| *by > 0.0) {
            (CHANGES[at].put)(&mut augment, by, size);
        }
        augment
    }

    /// The level's changes with those that were named themselves.
    fn all(&self) -> BTreeMap<usize, f64> {
        let of = |(name, by): &(&str, f64)| Some((position(name)?, *by));
        let named = self.level.and_then(|level| LEVELS.iter().find(|(choice, _)| choice.name == level));
        let mut all: BTreeMap<usize, f64> =
            named.map_or_else(BTreeMap::new, |(_, list)| list.iter().filter_map(of).collect());
        for named in self.own.iter().filter(|(_, by)| **by > 0.0).map(|(at, _)| CHANGES[*at].choice.name) {
            let pair = INSTEAD.iter().find(|pair| pair.contains(&named));
            let replaced = pair.and_then(|pair| pair.iter().find(|other| **other != named));
            replaced.and_then(|other| position(other)).map(|at| all.remove(&at));
        }
        all.extend(&self.own);
        all
    }
}

fn position(name: &str) -> Option<usize> {
    CHANGES.iter().position(|change| change.choice.name == name)
}

impl std::str::FromStr for Augmentation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        SettingValue::parse(text)
    }
}

impl SettingValue for Augmentation {
    const KIND: &'static str = "list";

    fn parse(text: &str) -> Result<Self, String> {
        let mut made = Augmentation::default();
        for word in text.split(',').map(str::trim) {
            if let Some((level, _)) = LEVELS.iter().find(|(choice, _)| choice.name == word) {
                if made.level.replace(level.name).is_some() {
                    return Err(format!("{text:?} has two levels"));
                }
                continue;
            }
            let (name, number) = word.split_once('=').map_or((word, None), |(name, number)| (name, Some(number)));
            let Some(at) = position(name) else {
                let known: Vec<&str> = Self::choices().iter().map(|choice| choice.name).collect();
                return Err(format!("{word:?} is none of {}", known.join(", ")));
            };
            let Change { usual, most, .. } = CHANGES[at];
            let by = match number {
                None => usual,
                Some(number) => number.parse().map_err(|_| format!("{number:?} of {name} is no number"))?,
            };
            if SWITCHES.contains(&name) && by != 0.0 && by != 1.0 {
                return Err(format!("{name} is on (1) or off (0), not {by}"));
            }
            if !(0.0..=most).contains(&by) {
                return Err(format!("{name} goes from 0 to {most}, not {by}"));
            }
            if made.own.insert(at, by).is_some() {
                return Err(format!("{text:?} has {name} twice"));
            }
        }
        if made.level == Some("none") && !made.own.is_empty() {
            return Err("none goes with nothing else".to_string());
        }
        let on = |name: &&str| position(name).is_some_and(|at| made.own.get(&at).is_some_and(|by| *by > 0.0));
        if let Some([one, other]) = INSTEAD.iter().find(|pair| pair.iter().all(on)) {
            return Err(format!("{one} and {other} stand for one another; name one of them"));
        }
        made.level = made.level.filter(|level| *level != "none");
        Ok(made)
    }

    fn show(&self) -> String {
        let own = self.own.iter().map(|(at, by)| format!("{}={by}", CHANGES[*at].choice.name));
        let words: Vec<String> = self.level.map(String::from).into_iter().chain(own).collect();
        if words.is_empty() { "none".to_string() } else { words.join(",") }
    }

    fn json(&self) -> Value {
        Value::String(self.show())
    }

    fn from_json(value: Value) -> Result<Self, String> {
        Self::parse(value.as_str().ok_or("must be a text, as the option has it")?)
    }

    fn choices() -> Vec<Choice> {
        LEVELS.iter().map(|(choice, _)| *choice).chain(CHANGES.iter().map(|change| change.choice)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_its_changes_and_single_ones_take_their_place() {
        let of = |text: &str| Augmentation::parse(text).expect("a list").of_images([32, 48]);
        assert_eq!(of("light"), of("crop=0.125,flip"));
        assert_eq!(of("light").crop, 6);
        assert_eq!(of("heavy,mixup=0").mixup, 0.0);
        assert_eq!(of("heavy,mixup=0").cutmix, 1.0);
        assert_eq!(of("none"), Augment::default());
        assert_eq!(of("light,altflip").flip, Flip::Alternating);
        assert_eq!(of("heavy,trivial").policy, Policy::Trivial);
        for text in ["none", "heavy,flip=0", "digits,rotate=20", "crop=0.25,mixup=0.3"] {
            assert_eq!(Augmentation::parse(text).expect("a list").show(), text);
        }
    }

    #[test]
    fn every_word_changes_something_and_every_level_names_what_there_is() {
        for change in CHANGES {
            let changed = Augmentation::parse(change.choice.name).expect("a word").of_images([16, 16]);
            assert!(changed != Augment::default() && change.usual <= change.most, "{}", change.choice.name);
        }
        for (level, list) in LEVELS {
            assert!(list.iter().all(|(name, _)| position(name).is_some()), "{}", level.name);
            let written: Vec<String> = list.iter().map(|(name, by)| format!("{name}={by}")).collect();
            assert!(level.help.ends_with(&written.join(",")) || list.is_empty(), "{}: {}", level.name, level.help);
        }
    }

    #[test]
    fn wrong_lists_are_told() {
        for (text, part) in [
            ("spin", "\"spin\" is none of none, light"),
            ("flip=2", "flip goes from 0 to 1, not 2"),
            ("flip=NaN", "flip goes from 0 to 1"),
            ("flip=much", "\"much\" of flip is no number"),
            ("light,heavy", "two levels"),
            ("flip,flip", "flip twice"),
            ("none,flip", "none goes with nothing else"),
            ("altflip,flip=0.9", "flip and altflip stand for one another"),
            ("rand,trivial", "rand and trivial stand for one another"),
            ("reflect=0.2", "reflect is on (1) or off (0), not 0.2"),
            ("", "\"\" is none of"),
        ] {
            let error = Augmentation::parse(text).expect_err("refused");
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
