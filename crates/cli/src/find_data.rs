//! Finding the MNIST of the repository where no data was named.

use std::path::{Path, PathBuf};

use anyhow::anyhow;

/// `data/mnist` in the working directory or above it, else above the program itself (its repository's `target` folder).
pub fn mnist() -> anyhow::Result<PathBuf> {
    let starts = [std::env::current_dir(), std::env::current_exe()];
    starts.iter().flatten().find_map(|start| above(start)).ok_or_else(|| {
        anyhow!(
            "no data: name a folder with --data (IDX files, CIFAR-10, or train/ and val/ with a folder for each class); \
             without it, data/mnist is looked for in the working directory and above, and above the program, \
             but is not there"
        )
    })
}

fn above(start: &Path) -> Option<PathBuf> {
    start.ancestors().map(|folder| folder.join("data/mnist")).find(|path| path.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_is_found_from_a_folder_below() {
        let root = tempfile::tempdir().expect("a folder");
        let mnist = root.path().join("data/mnist");
        std::fs::create_dir_all(&mnist).expect("made");
        std::fs::create_dir_all(root.path().join("a/b")).expect("made");
        assert_eq!(above(&root.path().join("a/b")), Some(mnist));
        assert_eq!(above(Path::new("a/relative/path/with/no/data")), None);
    }
}
