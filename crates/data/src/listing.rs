//! The image files of a split with their classes, before anything is decoded.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};

use crate::{DataError, names};

/// How the names of image files end.
const EXTENSIONS: [&str; 11] = ["jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "dib", "gif", "tif", "tiff"];
/// The most folders that are looked into to know a class's folder: a link may lead to a whole disk.
const MOST_LOOKED_INTO: usize = 10_000;
/// Files and folders that systems leave beside images.
const SYSTEM_FILES: [&str; 3] = ["Thumbs.db", "desktop.ini", "__MACOSX"];

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

    /// Refuses a split whose classes are not those of `train`.
    pub fn check_same_classes(&self, train: &Listing) -> Result<(), DataError> {
        if self.classes == train.classes {
            return Ok(());
        }
        let without = |these: &[String], those: &[String]| -> Vec<String> {
            let lacking = these.iter().filter(|class| !those.contains(class));
            lacking.cloned().collect()
        };
        Err(DataError::ClassesDiffer {
            path: self.root.clone(),
            missing: without(&train.classes, &self.classes),
            extra: without(&self.classes, &train.classes),
        })
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

/// The real places of the folders that were found, since links may lead to one of them again.
struct Visited {
    root: PathBuf,
    /// Each with its class and the path by which it was found.
    places: HashMap<PathBuf, (u32, PathBuf)>,
}

impl Visited {
    /// Classes come first: no link in one of them may take what is another's.
    fn new(root: &Path, classes: &[PathBuf]) -> Result<Self, DataError> {
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
    fn is_new(&mut self, folder: &Path, label: u32) -> Result<bool, DataError> {
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

fn place(folder: &Path) -> Result<PathBuf, DataError> {
    folder.canonicalize().map_err(|e| DataError::io(folder, e))
}

/// Whether it is a link to nothing.
pub(crate) fn leads_nowhere(path: &Path) -> bool {
    path.is_symlink() && !path.exists()
}

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

/// Folders with the names of their classes, by these names.
fn class_folders(entries: &[PathBuf]) -> Result<Vec<(String, PathBuf)>, DataError> {
    let folders = entries.iter().filter(|path| path.is_dir());
    let named = folders.map(|path| Ok((names::of_folder(path)?, path.clone())));
    let mut named = named.collect::<Result<Vec<_>, DataError>>()?;
    // By name and not by path: the two spellings of a letter stand in different places.
    named.sort();
    Ok(named)
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
