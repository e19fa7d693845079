//! Links among the folders of classes, which may lead to one folder twice, or nowhere.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::DataError;

/// The real places of the folders that were found, since links may lead to one of them again.
pub(super) struct Visited {
    root: PathBuf,
    /// Each with its class and the path by which it was found.
    places: HashMap<PathBuf, (u32, PathBuf)>,
}

impl Visited {
    /// Classes come first: no link in one of them may take what is another's.
    pub fn new(root: &Path, classes: &[PathBuf]) -> Result<Self, DataError> {
        let mut visited = Self { root: place(root)?, places: HashMap::new() };
        for (label, folder) in classes.iter().enumerate() {
            if !visited.is_new(folder, label as u32)? {
                let folder = folder.display();
                return Err(DataError::invalid(format!(
                    "{folder} is a link to a folder above it, not a class: remove it"
                )));
            }
        }
        Ok(visited)
    }

    /// Whether a folder was not found before, and holds none of those it lies in.
    pub fn is_new(&mut self, folder: &Path, label: u32) -> Result<bool, DataError> {
        let place = place(folder)?;
        if self.root.starts_with(&place) {
            return Ok(false);
        }
        match self.places.get(&place) {
            Some((class, _)) if *class == label => Ok(false),
            Some((_, other)) => Err(DataError::invalid(format!(
                "{} and {} are one folder, by a link, so that its images would be of two classes",
                other.display(),
                folder.display()
            ))),
            None => {
                self.places.insert(place, (label, folder.to_path_buf()));
                Ok(true)
            }
        }
    }
}

pub(super) fn place(folder: &Path) -> Result<PathBuf, DataError> {
    folder.canonicalize().map_err(|e| DataError::io(folder, e))
}

/// Whether it is a link to nothing.
pub(crate) fn leads_nowhere(path: &Path) -> bool {
    path.is_symlink() && !path.exists()
}
