//! The image files of a split with their classes, before anything is decoded.

mod entries;
mod links;

use std::path::{Path, PathBuf};

pub(crate) use entries::{has_image_below, has_image_name, sorted_entries};
use links::Visited;
pub(crate) use links::leads_nowhere;

use crate::holdout::Within;
use crate::{DataError, names};

/// What a split's folder holds.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub root: PathBuf,
    /// Names of the classes, in their order.
    pub classes: Vec<String>,
    /// Image files with their classes' numbers, class by class, by path.
    pub files: Vec<(PathBuf, u32)>,
    /// For each file whether it shows each class, `[N, classes]`, where it may show several; else nothing.
    pub shown: Vec<f32>,
    /// Files in class folders that are no images by their names.
    pub ignored: Vec<PathBuf>,
    /// Images that lie beside the class folders.
    pub stray: Vec<PathBuf>,
    /// The classes' folders, where they have some.
    pub folders: Vec<PathBuf>,
}

impl Listing {
    /// Looks through a folder whose folders are the classes. A class's images may lie in folders of its folder, at any depth.
    pub fn new(root: &Path) -> Result<Self, DataError> {
        let mut listing = Self { root: root.to_path_buf(), ..Self::default() };
        let entries = sorted_entries(root)?;
        if let Some(link) = entries.iter().find(|path| leads_nowhere(path)) {
            return Err(DataError::invalid(format!(
                "{} is a link to what is not there: mend or remove it",
                link.display()
            )));
        }
        listing.stray.extend(entries.iter().filter(|path| path.is_file() && has_image_name(path)).cloned());
        for (name, folder) in class_folders(&entries)? {
            if let Some(twice) = listing.classes.iter().position(|class| *class == name) {
                let paths = [listing.folders[twice].clone(), folder];
                return Err(DataError::SameClassTwice { name, path: listing.root, paths });
            }
            listing.classes.push(name);
            listing.folders.push(folder);
        }
        let mut visited = Visited::new(root, &listing.folders)?;
        for (label, folder) in listing.folders.clone().iter().enumerate() {
            listing.walk(folder, label as u32, &mut visited)?;
        }
        if listing.files.is_empty() {
            return Err(listing.nothing());
        }
        Ok(listing)
    }

    /// Adds what lies in a folder of a class. What a link leads back to is left out.
    fn walk(&mut self, folder: &Path, label: u32, visited: &mut Visited) -> Result<(), DataError> {
        for path in sorted_entries(folder)? {
            if path.is_dir() {
                match visited.is_new(&path, label)? {
                    true => self.walk(&path, label, visited)?,
                    false => self.ignored.push(path),
                }
            } else if path.is_file() && has_image_name(&path) {
                self.files.push((path, label));
            } else {
                self.ignored.push(path);
            }
        }
        Ok(())
    }

    /// Why a folder without any image in a class folder is refused.
    fn nothing(&self) -> DataError {
        let path = self.root.clone();
        match self.stray.len() {
            0 => DataError::EmptySplit { path, cause: "there is no image file in it".to_string() },
            images => DataError::NoClassFolders { path, images },
        }
    }

    /// Refuses a training split of one class, and a class that has no file at all.
    pub fn check_for_training(&self) -> Result<(), DataError> {
        if let ([class], [folder]) = (self.classes.as_slice(), self.folders.as_slice()) {
            let below = sorted_entries(folder)?.into_iter().filter(|path| path.is_dir());
            let below = below.filter_map(|path| path.file_name()?.to_str().map(str::to_string)).collect();
            return Err(DataError::OneClassFolder { path: self.root.clone(), class: class.clone(), below });
        }
        let mut has_file = vec![false; self.classes.len()];
        for (_, label) in &self.files {
            has_file[*label as usize] = true;
        }
        for (at, _) in self.shown.iter().enumerate().filter(|(_, shows)| **shows > 0.0) {
            has_file[at % self.classes.len()] = true;
        }
        match has_file.iter().position(|has| !has) {
            None if self.classes.len() > 1 => Ok(()),
            None => Err(DataError::OneClass { class: self.classes.concat(), images: self.files.len() }),
            Some(label) => Err(match self.folders.get(label) {
                Some(folder) => DataError::EmptyClass { path: folder.clone() },
                None => DataError::invalid(format!("no training image shows the class '{}'", self.classes[label])),
            }),
        }
    }

    /// Numbers the classes as `train` does, by their names. A class may lack images here; one that `train` lacks is refused.
    pub fn numbered_as(&mut self, train: &[String]) -> Result<(), DataError> {
        if self.classes == train {
            return Ok(());
        }
        let (path, training) = (self.root.clone(), train.to_vec());
        let numbers =
            names::numbers(&self.classes, train).map_err(|extra| DataError::ClassesDiffer { path, extra, training })?;
        self.files.iter_mut().for_each(|(_, label)| *label = numbers[*label as usize]);
        // Several labels an image (`shown`) come of tables alone, whose splits share their classes.
        self.classes = train.to_vec();
        Ok(())
    }

    /// Where in the files' names the folders begin that images can be grouped by.
    pub fn within(&self) -> Within {
        if self.folders.is_empty() { Within::Root } else { Within::ClassFolder }
    }

    /// The files by their paths below the root, with slashes everywhere.
    pub fn names(&self) -> Vec<String> {
        let name = |path: &Path| {
            let below = path.strip_prefix(&self.root).unwrap_or(path);
            below.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
        };
        self.files.iter().map(|(path, _)| name(path)).collect()
    }

    /// The files' classes.
    pub fn labels(&self) -> Vec<u32> {
        self.files.iter().map(|(_, label)| *label).collect()
    }
}

/// Folders with the names of their classes, by these names.
fn class_folders(entries: &[PathBuf]) -> Result<Vec<(String, PathBuf)>, DataError> {
    let folders = entries.iter().filter(|path| path.is_dir());
    let named = folders.map(|path| Ok((names::of_folder(path)?, path.clone())));
    let mut named = named.collect::<Result<Vec<_>, DataError>>()?;
    // By name and not by path: the two spellings of a letter stand in different places.
    named.sort();
    Ok(named)
}
