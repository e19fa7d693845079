//! Which images belong together by their names, such as those of one patient: never one half in training and the other outside.

use std::fmt;
use std::str::FromStr;

/// Images belong together whose names have the same part: `_` is what stands before the first underscore, `_:2` what stands
/// between the first and the second; `/` is the first folder in a class's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupBy {
    separator: String,
    /// Counted from 1.
    part: usize,
}

impl GroupBy {
    /// The group of a file, given its path within its class (`folder/name.jpg`); `None` where it has not so many parts, so that it
    /// is of no group.
    pub(crate) fn of<'n>(&self, name: &'n str) -> Option<&'n str> {
        let parted = match self.separator.contains('/') {
            true => name,
            false => stem(name),
        };
        let parts = parted.split(&self.separator).count();
        parted.split(&self.separator).nth(self.part - 1).filter(|_| parts > 1)
    }
}

/// The name of a file without its folders and its ending.
fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

impl FromStr for GroupBy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (separator, part) = match text.rsplit_once(':') {
            Some((separator, part)) if !separator.is_empty() => (separator, part.parse().ok().filter(|&n| n > 0)),
            Some(_) | None => (text, Some(1)),
        };
        match part {
            Some(part) if !separator.is_empty() => Ok(Self { separator: separator.to_string(), part }),
            Some(_) | None => Err(format!(
                "'{text}' is no part of a file name: give what separates the parts, as _, and which of them counts, as _:2"
            )),
        }
    }
}

impl fmt::Display for GroupBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            1 => f.write_str(&self.separator),
            part => write!(f, "{}:{part}", self.separator),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_a_part_of_the_name_or_a_folder() {
        let group = |by: &str, name: &'static str| by.parse::<GroupBy>().expect("a part").of(name);
        assert_eq!(group("_", "deep/p12_left_3.jpg"), Some("p12"));
        assert_eq!(group("_:2", "p12_left_3.jpg"), Some("left"));
        assert_eq!(group("_:3", "p12_left_3.jpg"), Some("3"));
        assert_eq!(group("/", "p12/left.jpg"), Some("p12"));
        assert_eq!(group(":", "a:b.jpg"), Some("a"));
        // What has no such part is alone.
        assert_eq!(group("_:4", "a/p12_left_3.jpg"), None);
        assert_eq!(group("-", "p12_left_3.jpg"), None);
        for wrong in ["", "_:0", "_:x"] {
            assert!(wrong.parse::<GroupBy>().expect_err("refused").contains("give what separates"), "{wrong}");
        }
        for text in ["_", "_:2", "::3"] {
            assert_eq!(text.parse::<GroupBy>().expect("a part").to_string(), text);
        }
    }
}
