//! Finds the pictures that words name: files, folders with all that lies below, patterns such as `*.jpg`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::Picture;
use crate::layout::Layout;
use crate::layouts::DiskLayout;
use crate::listing::{has_image_name, sorted_entries};
use crate::{DataError, OpenOptions, Split};

/// What was found.
#[derive(Debug, Default)]
pub struct FoundPictures {
    /// The pictures, in the order in which they were named, those of a folder by path.
    pub pictures: Vec<Picture>,
    /// What was named but cannot be read, or holds no picture.
    pub failed: Vec<DataError>,
}

/// Finds pictures. A file is taken whatever its name; of a folder everything below it that is named as an image is, or the images of
/// the data set in it if these are no files (MNIST, CIFAR), of which `options` say the shape: test images, where there are some. What is
/// no path that exists is a pattern, of `*`, `?`, `[ab]` and `**` for folders at any depth.
pub fn find(named: &[PathBuf], options: &OpenOptions) -> FoundPictures {
    let mut found = FoundPictures::default();
    for path in named {
        if let Err(error) = add(path, options, &mut found.pictures) {
            found.failed.push(error);
        }
    }
    found
}

fn add(path: &Path, options: &OpenOptions, pictures: &mut Vec<Picture>) -> Result<(), DataError> {
    let before = pictures.len();
    if path.is_dir() {
        match set_in(path) {
            Some(layout) => of_set(layout, path, options, pictures)?,
            None => below(path, &mut HashSet::new(), pictures)?,
        }
    } else if path.exists() || path.is_symlink() {
        pictures.push(Picture::file(path.to_path_buf()));
    } else {
        matching(path, options, pictures)?;
    }
    if pictures.len() > before {
        return Ok(());
    }
    let path = path.display();
    Err(DataError::invalid(format!("{path}: there is no image file in it (files are told by their endings)")))
}

/// The layout of a folder whose images are no files.
fn set_in(folder: &Path) -> Option<&'static dyn DiskLayout> {
    let layout = Layout::of(folder).ok()?.disk();
    let split = Split::ALL.into_iter().find(|&split| layout.has(folder, split))?;
    layout.list(folder, split).is_none().then_some(layout)
}

fn of_set(
    layout: &'static dyn DiskLayout,
    folder: &Path,
    options: &OpenOptions,
    pictures: &mut Vec<Picture>,
) -> Result<(), DataError> {
    let splits = [Split::Test, Split::Val, Split::Train];
    let split = splits.into_iter().find(|&split| layout.has(folder, split));
    let opened = crate::open_split(folder, split, &OpenOptions { holdout: None, ..options.clone() })?;
    pictures.extend(Picture::of_set(&opened.set, &format!("{}/{}", folder.display(), opened.split)));
    Ok(())
}

/// What a folder and those in it hold, each once, however links lead to it.
fn below(folder: &Path, seen: &mut HashSet<PathBuf>, pictures: &mut Vec<Picture>) -> Result<(), DataError> {
    if !seen.insert(folder.canonicalize().map_err(|e| DataError::io(folder, e))?) {
        return Ok(());
    }
    for path in sorted_entries(folder)? {
        if path.is_dir() {
            below(&path, seen, pictures)?;
        } else if has_image_name(&path) {
            pictures.push(Picture::file(path));
        }
    }
    Ok(())
}

fn matching(pattern: &Path, options: &OpenOptions, pictures: &mut Vec<Picture>) -> Result<(), DataError> {
    let missing = || DataError::Missing { path: pattern.to_path_buf() };
    let text = pattern.to_str().filter(|text| text.contains(['*', '?', '['])).ok_or_else(missing)?;
    let paths = glob::glob(text).map_err(|e| DataError::invalid(format!("{text}: no pattern of files: {}", e.msg)))?;
    let mut any = false;
    for path in paths {
        let path = path.map_err(|e| {
            let at = e.path().to_path_buf();
            DataError::io(&at, e.into())
        })?;
        any = true;
        match path.is_dir() {
            true => add(&path, options, pictures)?,
            // As in a folder: what a pattern meets by chance is no picture.
            false if has_image_name(&path) => pictures.push(Picture::file(path)),
            false => {}
        }
    }
    if any { Ok(()) } else { Err(DataError::invalid(format!("{text}: nothing is of this name"))) }
}
