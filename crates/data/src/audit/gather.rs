//! The images of all splits of a data set, before they are looked at.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::picture::Place;
use crate::layout::Layout;
use crate::layouts::{Piece, Share};
use crate::source::ImageSource;
use crate::{DataError, OpenOptions, Split};

/// An image: its place, where it comes from, and the numbers of its classes.
pub(super) type AuditedPicture = (Place, ImageSource, Vec<usize>);

/// What a data set holds.
pub(super) struct Gathered {
    pub classes: Vec<String>,
    /// The splits that are there.
    pub splits: Vec<Split>,
    pub ignored: Vec<PathBuf>,
    pub pictures: Vec<AuditedPicture>,
}

/// Lists all images of a data set.
pub(super) fn gathered(layout: Layout, folder: &Path) -> Result<Gathered, DataError> {
    let splits: Vec<Split> = Split::ALL.into_iter().filter(|&split| layout.disk().has(folder, split)).collect();
    let (mut classes, mut ignored, mut pictures) = (vec![], vec![], vec![]);
    for &split in &splits {
        let (of, more, left_out) = pictures_of(layout, folder, split)?;
        pictures
            .extend(more.into_iter().map(|(source, shows)| (Place::new(split, &of, &source, &shows), source, shows)));
        ignored.extend(left_out);
        match classes.is_empty() {
            true => classes = of,
            false if classes == of => {}
            // Classes of other names are what this is to find: they get numbers behind the others.
            false => merge(&mut classes, &of, &mut pictures, split),
        }
    }
    Ok(Gathered { classes, splits, ignored, pictures })
}

/// Images with the classes that they show.
type Pictures = Vec<(ImageSource, Vec<usize>)>;

/// The classes and images of a split, and what is left out of it.
fn pictures_of(
    layout: Layout,
    folder: &Path,
    split: Split,
) -> Result<(Vec<String>, Pictures, Vec<PathBuf>), DataError> {
    if let Some(listing) = layout.disk().list(folder, split) {
        let listing = listing?;
        let width = listing.classes.len();
        let shows = |(i, label): (usize, u32)| match listing.shown.get(i * width..(i + 1) * width) {
            Some(shown) => (0..width).filter(|&class| shown[class] > 0.0).collect(),
            None => vec![label as usize],
        };
        let pictures = listing
            .files
            .iter()
            .enumerate()
            .map(|(i, (path, label))| (ImageSource::File(path.clone()), shows((i, *label))));
        let pictures = pictures.collect();
        return Ok((listing.classes, pictures, [listing.ignored, listing.stray].concat()));
    }
    let piece = Piece { split, share: Share::Whole };
    let mut parts = layout.disk().open(folder, &[piece], &OpenOptions { holdout: None, ..OpenOptions::default() })?;
    let Some((set, _)) = parts.pop() else { return Ok((vec![], vec![], vec![])) };
    let classes = set.classes().to_vec();
    let pictures =
        (0..set.len()).map(|i| (ImageSource::Memory(Arc::clone(&set), i), vec![set.label(i) as usize])).collect();
    Ok((classes, pictures, vec![]))
}

/// Adds classes that a split alone has, and numbers those of its images anew.
fn merge(classes: &mut Vec<String>, of: &[String], pictures: &mut [AuditedPicture], split: Split) {
    let mut number = |name: &String| {
        classes.iter().position(|class| class == name).unwrap_or_else(|| {
            classes.push(name.clone());
            classes.len() - 1
        })
    };
    let numbers: Vec<usize> = of.iter().map(&mut number).collect();
    for (_, _, shows) in pictures.iter_mut().filter(|(place, _, _)| place.split == split) {
        shows.iter_mut().for_each(|class| *class = numbers[*class]);
    }
}
