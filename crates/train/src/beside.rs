//! What lies beside an ONNX file where the hub's programs keep one: `config.json` with names of classes, and `preprocessor_config.json` with how
//! images are prepared. They are looked for in the file's folder, and above one that is called `onnx`.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// Bytes of such a file, at most.
const MOST: u64 = 4 << 20;

/// What was found beside a file, and where.
#[derive(Clone, Debug, Default)]
pub(crate) struct Beside {
    /// Names of the classes, in their order.
    pub names: Option<Vec<String>>,
    /// Mean and deviation of the channels, in units of pixel / 255.
    pub normal: Option<(Vec<f32>, Vec<f32>)>,
    /// Height and width of the images.
    pub size: Option<[usize; 2]>,
    names_at: Option<PathBuf>,
    images_at: Option<PathBuf>,
}

impl Beside {
    /// Looks beside a file. What is not there, or cannot be read, is absent.
    pub fn of(path: &Path) -> Beside {
        let mut found = Beside::default();
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let above =
            folder.file_name().is_some_and(|n| n == "onnx").then(|| folder.parent().unwrap_or(folder).to_path_buf());
        for folder in [Some(folder.to_path_buf()), above].into_iter().flatten() {
            let (config, images) = (folder.join("config.json"), folder.join("preprocessor_config.json"));
            if let (None, Some(value)) = (&found.names, read(&config)) {
                found.names = names(&value);
                found.names_at = Some(config);
            }
            if let (None, Some(value)) = (&found.images_at, read(&images)) {
                (found.normal, found.size) = (normal(&value), size(&value));
                found.images_at = Some(images);
            }
        }
        found
    }

    /// What is told where something of it was used.
    pub fn notes(&self, names: bool, images: bool) -> Vec<String> {
        let one = |used: bool, what: &str, at: &Option<PathBuf>| {
            at.as_ref().filter(|_| used).map(|at| format!("{what} are those of {}", at.display()))
        };
        let names = one(names, "names of classes", &self.names_at);
        names.into_iter().chain(one(images, "mean and deviation", &self.images_at)).collect()
    }
}

fn read(path: &Path) -> Option<Value> {
    let is_small = std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.len() <= MOST);
    is_small.then(|| std::fs::read(path).ok()).flatten().and_then(|bytes| serde_json::from_slice(&bytes).ok())
}

/// `id2label`, whose keys are the numbers from 0 on.
fn names(config: &Value) -> Option<Vec<String>> {
    let labels = config.get("id2label")?.as_object()?;
    (0..labels.len()).map(|i| Some(labels.get(&i.to_string())?.as_str()?.to_string())).collect()
}

/// Mean and deviation, as they are in units of pixel / 255.
fn normal(config: &Value) -> Option<(Vec<f32>, Vec<f32>)> {
    const PIXEL: f64 = 1.0 / 255.0;
    let flag = |key: &str| config.get(key).and_then(Value::as_bool).unwrap_or(true);
    let factor = config.get("rescale_factor").and_then(Value::as_f64).unwrap_or(PIXEL);
    // What a pixel / 255 is multiplied with before the mean is taken off.
    let scale = if flag("do_rescale") { factor / PIXEL } else { 1.0 / PIXEL };
    let list = |key: &str| -> Option<Vec<f32>> {
        config.get(key)?.as_array()?.iter().map(|v| Some((v.as_f64()? / scale) as f32)).collect()
    };
    if !flag("do_normalize") {
        return Some((vec![0.0], vec![(1.0 / scale) as f32]));
    }
    let (mean, std) = (list("image_mean")?, list("image_std")?);
    (!mean.is_empty() && mean.len() == std.len()).then_some((mean, std))
}

/// What images are cut to, or brought to.
fn size(config: &Value) -> Option<[usize; 2]> {
    let whole = |v: &Value| v.as_u64().map(|n| n as usize).filter(|n| (1..=1 << 14).contains(n));
    let of = |key: &str| match config.get(key)? {
        Value::Object(o) => match (o.get("height").and_then(whole), o.get("width").and_then(whole)) {
            (Some(h), Some(w)) => Some([h, w]),
            _ => o.get("shortest_edge").and_then(whole).map(|n| [n; 2]),
        },
        other => whole(other).map(|n| [n; 2]),
    };
    let cut = config.get("do_center_crop").and_then(Value::as_bool).unwrap_or(false);
    cut.then(|| of("crop_size")).flatten().or_else(|| of("size"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_the_hub_tells_names_and_how_images_are_prepared() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
        write("config.json", r#"{"id2label": {"1": "dog", "0": "cat"}}"#);
        write(
            "preprocessor_config.json",
            r#"{"do_normalize": true, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.5, 0.5, 0.25],
                "do_center_crop": true, "crop_size": {"height": 192, "width": 256}, "size": {"shortest_edge": 256}}"#,
        );
        std::fs::create_dir(folder.path().join("onnx")).expect("a folder");
        for file in ["model.onnx", "onnx/model.onnx"] {
            let found = Beside::of(&folder.path().join(file));
            assert_eq!(found.names, Some(vec!["cat".to_string(), "dog".to_string()]), "{file}");
            assert_eq!(found.normal, Some((vec![0.5, 0.4, 0.3], vec![0.5, 0.5, 0.25])), "{file}");
            assert_eq!(found.size, Some([192, 256]), "{file}");
            assert_eq!(found.notes(true, true).len(), 2, "{file}");
        }
        write(
            "preprocessor_config.json",
            r#"{"do_rescale": false, "image_mean": [127.5], "image_std": [51], "size": 32}"#,
        );
        let found = Beside::of(&folder.path().join("model.onnx"));
        assert_eq!(found.normal, Some((vec![0.5], vec![0.2])));
        assert_eq!(found.size, Some([32, 32]));
        let other = tempfile::tempdir().expect("a folder");
        let none = Beside::of(&other.path().join("model.onnx"));
        assert!(
            none.names.is_none() && none.normal.is_none() && none.size.is_none() && none.notes(true, true).is_empty()
        );
    }
}
