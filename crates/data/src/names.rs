//! Names of classes, from folders and from lists: one name in all its spellings is one name.

use std::collections::HashMap;
use std::path::Path;

use unicode_normalization::UnicodeNormalization;

use crate::{DataError, regular};

/// The longest list of names, in bytes.
const MOST_BYTES: u64 = 16 << 20;

/// A name as it is kept. File systems write an é as one character or as two (macOS); composed (NFC), both are the same.
pub(crate) fn composed(name: &str) -> String {
    name.nfc().collect()
}

/// The name of the class that a folder holds.
pub(crate) fn of_folder(path: &Path) -> Result<String, DataError> {
    let name = path.file_name().unwrap_or_default();
    let text = name.to_str().ok_or_else(|| DataError::NameNotUtf8 { path: path.to_path_buf() })?;
    Ok(composed(text))
}

/// Which of the classes `wanted` each of these is, by its name; those that it has not are the error.
pub(crate) fn numbers(classes: &[String], wanted: &[String]) -> Result<Vec<u32>, Vec<String>> {
    let known: HashMap<&String, u32> = (0..).zip(wanted).map(|(number, name)| (name, number)).collect();
    let extra: Vec<String> = classes.iter().filter(|class| !known.contains_key(class)).cloned().collect();
    if extra.is_empty() { Ok(classes.iter().map(|class| known[class]).collect()) } else { Err(extra) }
}

/// A list of class names, one a line; empty lines at the end are left out.
pub(crate) fn read_list(path: &Path) -> Result<Vec<String>, DataError> {
    let bad = |cause: String| Err(DataError::BadClassList { path: path.to_path_buf(), cause });
    let Ok(text) = String::from_utf8(regular::read(path, MOST_BYTES)?) else {
        return bad("it is not in UTF-8".to_string());
    };
    // Some editors begin a file with a mark of its encoding.
    let text = text.trim_start_matches('\u{FEFF}').trim_end();
    let names: Vec<String> = text.lines().map(|line| composed(line.trim())).collect();
    if names.is_empty() {
        return bad("it is empty".to_string());
    }
    if names.iter().any(String::is_empty) {
        return bad("it has an empty line between names".to_string());
    }
    match twice(&names) {
        Some([first, second]) => {
            bad(format!("lines {} and {} both say '{}'", first + 1, second + 1, names[first].escape_debug()))
        }
        None => Ok(names),
    }
}

/// Where a name stands for the first and the second time, if one stands twice.
fn twice(names: &[String]) -> Option<[usize; 2]> {
    let mut seen = std::collections::HashMap::new();
    names.iter().enumerate().find_map(|(i, name)| seen.insert(name, i).map(|first| [first, i]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_spellings_of_a_name_are_one() {
        assert_eq!(composed("cafe\u{301}"), composed("caf\u{E9}"));
        assert_ne!(composed("cafe"), composed("caf\u{E9}"));
        let names = ["a", "b", "a"].map(String::from);
        assert_eq!((twice(&names), twice(&names[1..])), (Some([0, 2]), None));
    }
}
