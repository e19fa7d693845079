//! Looks a data set over: what it has of each class, what cannot be read, what is there twice, and what is blank or blurred.

mod duplicates;
mod gather;
mod picture;
mod sheet;

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::layout::Layout;
use crate::source::ImageSource;
use crate::{DataError, Progress, Split, threads};

use gather::Gathered;
use picture::Facts;
pub use picture::Place;

/// The shape in which the channels are measured, as training's is where nothing else is asked for.
const MEASURED: [usize; 3] = [64, 64, 3];
/// Grey values that spread less than this, of 255, are a blank image.
const BLANK: f64 = 3.0;
/// A blurred image's Laplacian, of its size of at most 256 pixels, varies less than this.
const BLURRED: f64 = 12.0;

/// What was found in a data set.
#[derive(Debug)]
pub struct Audit {
    /// How it lies on disk.
    pub layout: Layout,
    /// The classes.
    pub classes: Vec<String>,
    /// What each split has, those that are there alone.
    pub splits: Vec<SplitAudit>,
    /// Height and width: the smallest sides, the middle ones, the largest.
    pub sizes: Option<[[usize; 2]; 3]>,
    /// Files that cannot be used, with the cause.
    pub unreadable: Vec<DataError>,
    /// Files that are no images by their names, and images that are of no class.
    pub ignored: Vec<PathBuf>,
    /// Images that are the same byte for byte, or pixel for pixel.
    pub exact: Vec<Vec<Place>>,
    /// Images that look the same, beside those.
    pub near: Vec<Vec<Place>>,
    /// Whether images were too small to tell which look the same.
    pub too_small: bool,
    /// Images of one colour.
    pub blank: Vec<Place>,
    /// Images without a sharp edge.
    pub blurred: Vec<Place>,
    /// Mean and standard deviation of each channel of all images at 64x64, in units of pixel / 255.
    pub channels: Option<[[f64; 3]; 2]>,
    samples: Vec<Vec<ImageSource>>,
}

/// An image that was looked at.
struct Seen {
    place: Place,
    source: ImageSource,
    shows: Vec<usize>,
    facts: Result<Facts, DataError>,
}

/// What a split has.
#[derive(Debug)]
pub struct SplitAudit {
    /// Which one.
    pub split: Split,
    /// Images of each class, of such as can be read. An image that shows several counts for each.
    pub counts: Vec<usize>,
    /// Images that can be read.
    pub images: usize,
}

impl Audit {
    /// Looks over the data set in `folder`.
    ///
    /// # Errors
    /// Where there is none, or its folders or lists cannot be read; not where images cannot.
    pub fn of(folder: &Path, progress: &Progress) -> Result<Audit, DataError> {
        threads::ready()?;
        let layout = Layout::of(folder)?;
        let Gathered { classes, splits, ignored, pictures } = gather::gathered(layout, folder)?;
        progress.begin("looked at", pictures.len());
        let look = |(place, source, shows): gather::AuditedPicture| {
            let facts = Facts::of(&source);
            progress.advance(1);
            Seen { place, source, shows, facts }
        };
        let seen: Vec<_> = pictures.into_par_iter().map(look).collect();
        Ok(Self::found(layout, classes, splits, ignored, seen))
    }

    fn found(
        layout: Layout,
        classes: Vec<String>,
        splits: Vec<Split>,
        ignored: Vec<PathBuf>,
        seen: Vec<Seen>,
    ) -> Audit {
        let of = |split| SplitAudit { split, counts: vec![0; classes.len()], images: 0 };
        let mut audit = Audit {
            layout,
            splits: splits.into_iter().map(of).collect(),
            samples: classes.iter().map(|_| vec![]).collect(),
            classes,
            sizes: None,
            unreadable: vec![],
            ignored,
            exact: vec![],
            near: vec![],
            too_small: false,
            blank: vec![],
            blurred: vec![],
            channels: None,
        };
        let mut usable: Vec<(Place, Facts)> = vec![];
        for Seen { place, source, shows, facts } in seen {
            let facts = match facts {
                Ok(facts) => facts,
                Err(error) => {
                    audit.unreadable.push(error);
                    continue;
                }
            };
            if let Some(split) = audit.splits.iter_mut().find(|split| split.split == place.split) {
                split.images += 1;
                shows.iter().for_each(|&class| split.counts[class] += 1);
            }
            shows.iter().for_each(|&class| audit.samples[class].push(source.clone()));
            if facts.spread < BLANK {
                audit.blank.push(place.clone());
            } else if facts.sharpness.is_some_and(|sharpness| sharpness < BLURRED) {
                audit.blurred.push(place.clone());
            }
            usable.push((place, facts));
        }
        audit.sizes = sizes(&usable);
        audit.channels = channels(&usable);
        (audit.exact, audit.near, audit.too_small) = duplicates::groups(&usable);
        audit
    }

    /// Groups of images that are the same, or look it, in more than one split: a model is asked what it has learnt by heart.
    pub fn leaks(&self) -> impl Iterator<Item = &Vec<Place>> {
        self.exact.iter().chain(&self.near).filter(|group| group.iter().any(|place| place.split != group[0].split))
    }

    /// Groups of such images that are of different classes.
    pub fn conflicts(&self) -> impl Iterator<Item = &Vec<Place>> {
        self.exact.iter().chain(&self.near).filter(|group| group.iter().any(|place| place.class != group[0].class))
    }

    /// Draws some images of each class, with its name, as a PNG file.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn draw_sheet(&self, path: &Path) -> Result<(), DataError> {
        sheet::draw(&self.classes, &self.samples, path)
    }
}

/// The smallest, middle and largest of heights and widths.
fn sizes(usable: &[(Place, Facts)]) -> Option<[[usize; 2]; 3]> {
    let sorted = |side: usize| {
        let mut sides: Vec<usize> = usable.iter().map(|(_, facts)| facts.size[side]).collect();
        sides.sort_unstable();
        Some([*sides.first()?, sides[sides.len() / 2], *sides.last()?])
    };
    let (heights, widths) = (sorted(0)?, sorted(1)?);
    Some([0, 1, 2].map(|i| [heights[i], widths[i]]))
}

fn channels(usable: &[(Place, Facts)]) -> Option<[[f64; 3]; 2]> {
    let pixels = (usable.len() * MEASURED[0] * MEASURED[1]) as f64;
    let sum =
        |channel: usize, power: usize| usable.iter().map(|(_, facts)| facts.sums[channel][power] as f64).sum::<f64>();
    let mean = [0, 1, 2].map(|channel| sum(channel, 0) / pixels / 255.0);
    let square = [0, 1, 2].map(|channel| sum(channel, 1) / pixels / (255.0 * 255.0));
    let deviation = [0, 1, 2].map(|channel| (square[channel] - mean[channel] * mean[channel]).max(0.0).sqrt());
    (!usable.is_empty()).then_some([mean, deviation])
}
