//! Names of classes as files of others tell them: JSON, Python's dictionaries, or lines.

use std::collections::BTreeMap;

use chiaro_onnx::OnnxModel;

/// Keys of an ONNX file's metadata with names of classes, the surest first. What the first holds is meant as such; what others hold is taken
/// where it is as many as there are classes.
const KEYS: [&str; 6] = ["names", "classes", "class_names", "labels", "id2label", "character"];

/// What a file's metadata says of its classes.
pub(crate) enum Told {
    /// Nothing that is meant so.
    Nothing,
    /// So many names as there are classes.
    Names(Vec<String>),
    /// Something that is not used, and why.
    Unused(String),
}

/// The names of so many classes in a model's metadata.
pub(crate) fn told(model: &OnnxModel, classes: usize) -> Told {
    for key in KEYS {
        let Some(text) = model.metadata(key) else { continue };
        let read = named(text).or_else(|| (key != KEYS[0]).then(|| lines(text)));
        match read {
            Some(names) if names.len() == classes => return Told::Names(names),
            Some(names) if key == KEYS[0] => {
                return Told::Unused(format!(
                    "names {} classes and tells {classes} apart, so that they are numbered",
                    names.len()
                ));
            }
            None if key == KEYS[0] => {
                let start: String = text.chars().take(40).collect();
                return Told::Unused(format!(
                    "has names of classes that cannot be read ({start:?}), so that classes are numbered: a JSON list or {{0: 'cat', 1: 'dog'}} can"
                ));
            }
            Some(_) | None => {}
        }
    }
    Told::Nothing
}

/// A name a line, or between commas where there is one line.
pub(crate) fn lines(text: &str) -> Vec<String> {
    let text = text.trim();
    let separator = if text.contains('\n') { '\n' } else { ',' };
    text.split(separator).map(|name| name.trim().to_string()).collect()
}

/// Names as Ultralytics writes them, `{0: 'cat', 1: 'dog'}`, with numbers in quotes, or as a JSON list.
pub(crate) fn named(text: &str) -> Option<Vec<String>> {
    if let Ok(list) = serde_json::from_str::<Vec<String>>(text) {
        return Some(list);
    }
    let mut names = BTreeMap::new();
    let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
    while !rest.is_empty() {
        let (number, value) = rest.split_once(':')?;
        let value = value.trim_start();
        let quote = value.chars().next().filter(|c| ['\'', '"'].contains(c))?;
        let mut name = String::new();
        let mut end = None;
        let mut characters = value.char_indices().skip(1);
        while let Some((at, c)) = characters.next() {
            match c {
                '\\' => name.push(characters.next()?.1),
                c if c == quote => {
                    end = Some(at + 1);
                    break;
                }
                c => name.push(c),
            }
        }
        names.insert(number.trim().trim_matches(['\'', '"']).parse::<usize>().ok()?, name);
        rest = value[end?..].trim_start().trim_start_matches(',').trim_start();
    }
    names.keys().copied().eq(0..names.len()).then(|| names.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::{lines, named};

    #[test]
    fn names_are_read_as_others_write_them() {
        let wanted = Some(vec!["it's".to_string(), "a \"dog\"".to_string()]);
        assert_eq!(named(r#"{0: "it's", 1: 'a "dog"'}"#), wanted);
        assert_eq!(named(r#"["it's", "a \"dog\""]"#), wanted);
        assert_eq!(named(r#"{"0": "it's", "1": "a \"dog\""}"#), wanted);
        assert_eq!(named("{0: 'a', 2: 'b'}"), None);
        assert_eq!(named("{0: 'a"), None);
        assert_eq!(lines("0\n90\n180\n"), ["0", "90", "180"]);
        assert_eq!(lines("cat, dog"), ["cat", "dog"]);
    }
}
