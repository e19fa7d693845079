//! Tables that name image files and their labels: one of all, with a column of splits or not, or one a split.

use std::path::{Path, PathBuf};

use super::{DiskLayout, Part, Piece, files};
use crate::listing::{Listing, sorted_entries};
use crate::table::Table;
use crate::{DataError, OpenOptions, Split};

/// The table of a folder that has all images in one.
const ONE: &str = "labels.csv";

/// How many files of a table are looked for.
const MOST_LOOKED_FOR: usize = 1000;

/// The layout.
pub(crate) struct Tables;

impl DiskLayout for Tables {
    fn name(&self) -> &'static str {
        "a table of labels"
    }

    fn looked_for(&self) -> &'static str {
        "labels.csv, or train.csv and its companions (a table of paths and labels)"
    }

    fn has(&self, place: &Path, split: Split) -> bool {
        let Some(one) = of_all(place) else { return of_split(place, split).is_some() };
        // What is wrong with it is told when it is opened.
        Table::read(&one, folder_of(place)).map_or(split == Split::Train, |table| {
            let any = |wanted| table.rows.iter().any(|row| row.split == wanted);
            any(Some(split)) || (split == Split::Train && any(None))
        })
    }

    fn missing(&self, split: Split) -> String {
        format!("no row and no table is of the split {split}")
    }

    fn holds_out(&self) -> bool {
        true
    }

    fn list(&self, place: &Path, split: Split) -> Option<Result<Listing, DataError>> {
        Some(read(place).and_then(|tables| listing(folder_of(place), split, &tables)))
    }

    fn open(&self, place: &Path, pieces: &[Piece], options: &OpenOptions) -> Result<Vec<Part>, DataError> {
        let tables = read(place)?;
        files::open(pieces, options, |split| listing(folder_of(place), split, &tables))
    }
}

/// Why the tables in a folder are no data set of its images, if they are none: unreadable as such, without training images, or of files
/// that do not lie in it. `None` where they are one, and of a table that was named itself.
pub(crate) fn misfit(place: &Path) -> Option<String> {
    if !place.is_dir() {
        return None;
    }
    let tables = match read(place) {
        Ok((_, tables)) => tables,
        Err(error) => return Some(error.to_string()),
    };
    if !Tables.has(place, Split::Train) {
        return Some(format!("{}: {}", place.display(), Tables.missing(Split::Train)));
    }
    let outside = |file: &Path| file.components().any(|part| part == std::path::Component::ParentDir);
    let lies_here = |file: &PathBuf| file.starts_with(place) && !outside(file) && file.is_file();
    let mut files = tables.iter().flat_map(|table| table.rows.iter().take(MOST_LOOKED_FOR).map(|row| &row.file));
    let lacks = || format!("{}: the files that its table names do not lie in it", place.display());
    if files.any(lies_here) { None } else { Some(lacks()) }
}

/// All tables, each with the split that its name tells.
fn read(place: &Path) -> Result<(Vec<Option<Split>>, Vec<Table>), DataError> {
    let read = |path: &PathBuf| Table::read(path, folder_of(place));
    if let Some(one) = of_all(place) {
        return Ok((vec![None], vec![read(&one)?]));
    }
    let there = Split::ALL.into_iter().filter_map(|split| Some((split, of_split(place, split)?)));
    let tables = there.map(|(split, path)| Ok((Some(split), read(&path)?))).collect::<Result<Vec<_>, DataError>>()?;
    Ok(tables.into_iter().unzip())
}

/// The rows of a split as image files. A table that says of no split is of the training images.
fn listing(
    folder: &Path,
    split: Split,
    (splits, tables): &(Vec<Option<Split>>, Vec<Table>),
) -> Result<Listing, DataError> {
    let classes = Table::classes(tables);
    let several = tables.iter().any(|table| table.several);
    let mut listing = Listing { root: folder.to_path_buf(), classes, ..Listing::default() };
    for (of, table) in splits.iter().zip(tables) {
        let is_of = |row: &crate::table::TableRow| of.or(row.split).unwrap_or(Split::Train) == split;
        for row in table.rows.iter().filter(|row| is_of(row)) {
            let place = |label: &String| listing.classes.iter().position(|class| class == label);
            let shown: Vec<usize> = row.labels.iter().filter_map(place).collect();
            listing.files.push((row.file.clone(), shown.first().copied().unwrap_or(0) as u32));
            if several {
                let shows = |class| f32::from(shown.contains(&class));
                listing.shown.extend((0..listing.classes.len()).map(shows));
            }
        }
    }
    match listing.files.is_empty() {
        true => {
            Err(DataError::EmptySplit { path: folder.to_path_buf(), cause: format!("no row is of the split {split}") })
        }
        false => Ok(listing),
    }
}

/// The table of all images: the place itself, or one in it.
fn of_all(place: &Path) -> Option<PathBuf> {
    let one = if Table::is_named(place) { place.to_path_buf() } else { place.join(ONE) };
    one.is_file().then_some(one)
}

/// The table of a split.
fn of_split(folder: &Path, split: Split) -> Option<PathBuf> {
    let stem = |path: &PathBuf| path.file_stem().and_then(|stem| stem.to_str()).and_then(Split::named);
    let mut entries = sorted_entries(folder).unwrap_or_default().into_iter();
    entries.find(|path| Table::is_named(path) && path.is_file() && stem(path) == Some(split))
}

/// The folder that paths are relative to.
fn folder_of(place: &Path) -> &Path {
    match place.is_dir() {
        true => place,
        false => place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")),
    }
}
