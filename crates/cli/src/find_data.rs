//! Finding the MNIST of the repository where no data was named.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use chiaro::data::Layout;

/// `data/mnist` in the working directory or above it, else above the program itself (its repository's `target` folder).
pub fn mnist() -> anyhow::Result<PathBuf> {
    let starts = [std::env::current_dir(), std::env::current_exe()];
    above_any(starts.iter().flatten().map(PathBuf::as_path))
}

fn above_any<'a>(mut starts: impl Iterator<Item = &'a Path>) -> anyhow::Result<PathBuf> {
    starts.find_map(above).ok_or_else(|| {
        anyhow!(
            "no data: name a folder, as in `chiaro train photos` ({}); without one, data/mnist is looked for in the working directory and \
             above, and above the program, but is not there",
            Layout::looked_for()
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
        let starts = [Path::new("nowhere"), &root.path().join("a")];
        assert_eq!(
            above_any(starts.into_iter()).expect("the second start is below it"),
            root.path().join("data/mnist")
        );
    }

    /// Not seen by way of the program: it finds this repository above itself, and a copy of it elsewhere cannot be started
    /// for sure while other threads of a test start processes (they hold the copy open for writing).
    #[test]
    fn without_any_data_the_message_says_where_it_was_looked_for() {
        let error = above_any([Path::new("nowhere")].into_iter()).expect_err("there is none").to_string();
        assert!(
            error.starts_with("no data: ") && error.contains("chiaro train photos") && error.contains("data/mnist"),
            "{error}"
        );
    }
}
