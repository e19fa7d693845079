//! What lies in folders: images by their names, without what systems leave beside them.

use std::collections::{HashSet, VecDeque};
use std::path::{Path, PathBuf};

use super::links::place;
use crate::DataError;

/// How the names of image files end.
const EXTENSIONS: [&str; 11] = ["jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "dib", "gif", "tif", "tiff"];
/// The most folders that are looked into to know a class's folder: a link may lead to a whole disk.
const MOST_LOOKED_INTO: usize = 10_000;
/// Files and folders that systems leave beside images.
const SYSTEM_FILES: [&str; 3] = ["Thumbs.db", "desktop.ini", "__MACOSX"];

/// Whether there is an image in a folder, at any depth.
pub(crate) fn has_image_below(folder: &Path) -> bool {
    let (mut seen, mut left) = (HashSet::new(), VecDeque::from([folder.to_path_buf()]));
    while let Some(folder) = left.pop_front().filter(|_| seen.len() < MOST_LOOKED_INTO) {
        if !place(&folder).is_ok_and(|place| seen.insert(place)) {
            continue;
        }
        for path in sorted_entries(&folder).unwrap_or_default() {
            if path.is_dir() {
                left.push_back(path);
            } else if has_image_name(&path) {
                return true;
            }
        }
    }
    false
}

/// Everything in a folder but hidden files, by path.
pub(crate) fn sorted_entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let failed = |e| DataError::io(folder, e);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        paths.push(entry.map_err(failed)?.path());
    }
    paths.retain(|path| !is_hidden(path));
    paths.sort();
    Ok(paths)
}

fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.as_encoded_bytes().starts_with(b".") || SYSTEM_FILES.iter().any(|file| name.eq_ignore_ascii_case(file))
}

/// Whether a file is an image by its name.
pub(crate) fn has_image_name(path: &Path) -> bool {
    path.extension().is_some_and(|extension| EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known)))
}
