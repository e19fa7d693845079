//! Models that come as ONNX files: their weights and what is told of their images; and the files of their structures, which lie
//! beside weights that name them.

use std::collections::BTreeMap;
use std::path::Path;

use chiaro_data::Resize;
use chiaro_io::{ModelInfo, Weights, torch, write_whole};
use chiaro_onnx::registry;
use chiaro_onnx::{OnnxClassifier, OnnxError, OnnxModel};

use crate::calibration;
use crate::error::{Result, TrainError};
use crate::named_model::named_model;
use crate::settings::TaskName;
use crate::task::MULTI_LABEL;

/// What an ONNX file may not tell.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// Height and width of the images.
    pub size: Option<[usize; 2]>,
    /// The same, but only where the file leaves them open: another size of its own is no error.
    pub open_size: Option<[usize; 2]>,
    /// Names of the classes.
    pub classes: Option<Vec<String>>,
    /// Mean of each channel, in units of pixel / 255.
    pub mean: Option<Vec<f32>>,
    /// Standard deviation of each channel, in the same units.
    pub std: Option<Vec<f32>>,
    /// How images of other shapes are brought to the model's.
    pub resize: Option<Resize>,
    /// What batch norms add to the variance, where weights of PyTorch do not have what their names let expect.
    pub eps: Option<f64>,
}

/// Whether a path is that of an ONNX file.
pub(crate) fn is_onnx(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("onnx")) && path.is_file()
}

/// The task of a network, by whether an image may show several classes.
pub(crate) fn task_name(several: bool) -> String {
    if several { MULTI_LABEL.to_string() } else { TaskName::default().as_str().to_string() }
}

/// How images are brought to a network's where nobody tells: those of photos see them cut to a square, not distorted.
fn usual_resize([h, w, c]: [usize; 3]) -> Resize {
    const LEAST: usize = 128;
    if h == w && h >= LEAST && c == 3 { Resize::Crop } else { Resize::default() }
}

/// Height and width of photos, as networks of ImageNet take them.
const PHOTO: [usize; 2] = [224; 2];

/// Whether a path is that of weights of PyTorch: by its ending or its first bytes, or safetensors that this program did not write.
pub(crate) fn is_torch(path: &Path) -> Result<bool> {
    let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    Ok(match ending.as_str() {
        "pt" | "pth" | "th" => path.is_file(),
        "safetensors" => path.is_file() && !torch::is_own(path)?,
        _ => holds_torch_weights(path),
    })
}

/// Whether a file holds weights as PyTorch's programs keep them, in a pickle or as safetensors, by what is in it.
pub fn holds_torch_weights(path: &Path) -> bool {
    torch::is_pickled(path)
        || (torch::check_safetensors(path).is_ok() && torch::is_own(path).is_ok_and(|is_own| !is_own))
}

/// An ONNX file that was read.
pub(crate) struct Imported {
    pub weights: Weights,
    /// The name that its model is known by.
    pub name: String,
    /// Whether nobody told how pixels are normalised.
    pub guessed: bool,
    /// What of the file's metadata was not understood.
    pub notes: Vec<String>,
}

/// Reads an ONNX file, and makes its model known by a name.
pub(crate) fn import(options: &ImportOptions, path: &Path) -> Result<Imported> {
    let failed = |cause| TrainError::Onnx { path: path.to_path_buf(), cause: Box::new(cause) };
    let model = OnnxModel::read(path).map_err(failed)?;
    let mut classifier = OnnxClassifier::new(model).map_err(failed)?;
    let image = image_of(options, &classifier).map_err(failed)?;
    let classes = classifier.classes(image).map_err(failed)?;
    let classes = names(options, &classifier, classes)?;
    let (mean, std) = normalisation(options, &classifier, image[2])?;
    let told = |given: &Option<Vec<f32>>, key| given.is_some() || classifier.model().metadata(key).is_some();
    let all_told = classifier.takes_pixels || (told(&options.mean, "mean") && told(&options.std, "std"));
    let tensors: BTreeMap<_, _> = classifier.weights(image).map_err(failed)?.into_iter().collect();
    let stem = path.file_stem().map_or_else(|| "model".into(), |s| s.to_string_lossy().into_owned());
    let resize = options.resize.map(|r| r.name().to_string());
    let resize = resize.or_else(|| classifier.model().metadata("resize").map(str::to_string));
    let resize = resize.unwrap_or_else(|| usual_resize(image).name().to_string());
    let task = task_name(classifier.several);
    // How outputs are read, as this program writes it; others may mean something else by these words.
    let of_own = classifier.model().metadata("chiaro_version").is_some();
    let calibrated = calibration::KEYS
        .iter()
        .filter(|_| of_own)
        .filter_map(|key| Some((key.to_string(), classifier.model().metadata(key)?.to_string())));
    let calibrated = calibrated.collect();
    let notes = not_understood(path, &classifier);
    // The size that it is used with is the one that it must fit.
    classifier.image = image;
    let name = registry::register(&stem, classifier).map_err(failed)?;
    let info = ModelInfo { model: name.clone(), task, image, resize, classes, mean, std, described: None };
    let mut weights = Weights::of(path, info, tensors)?;
    weights.extra = calibrated;
    Ok(Imported { weights, name, guessed: !all_told, notes })
}

/// Metadata that says something, but not in a way that is read.
fn not_understood(path: &Path, classifier: &OnnxClassifier) -> Vec<String> {
    let told = |key| classifier.model().metadata(key);
    let mut notes = vec![];
    if let Some(text) = told("names").filter(|text| named(text).is_none()) {
        let start: String = text.chars().take(40).collect();
        notes.push(format!(
            "{} has names of classes that cannot be read ({start:?}), so that classes are numbered: a JSON list or {{0: 'cat', 1: 'dog'}} can",
            path.display()
        ));
    }
    const ORDERS: [&str; 6] = ["rgb", "bgr", "rgba", "grey", "gray", "l"];
    if let Some(order) = told("color").filter(|order| !ORDERS.contains(&order.to_lowercase().as_str())) {
        notes.push(format!(
            "{} has the colour order {order:?}, which is not known here: it is given RGB",
            path.display()
        ));
    }
    notes
}

/// The weights of a PyTorch file (or of safetensors that others wrote) for a model of this project, and what did not fit.
pub(crate) fn import_torch(options: &ImportOptions, path: &Path, model: &str) -> Result<(Weights, Vec<String>)> {
    // By what is in it; of a damaged file its ending tells what to expect.
    let ending = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("safetensors"));
    let is_safetensors = !torch::is_pickled(path) && (ending || torch::check_safetensors(path).is_ok());
    let torch::StateDict { tensors: given, unread, notes: mut told } = if is_safetensors {
        torch::StateDict { tensors: torch::load_safetensors(path)?, ..torch::StateDict::default() }
    } else {
        torch::read(path)?
    };
    let unread: Vec<String> = unread.iter().map(|(name, what)| format!("{name} depends on {what}")).collect();
    let named = named_model(model, None)?;
    let [h, w, c] = named.image;
    let at = |[h, w]: [usize; 2]| -> Result<(torch::Fitted, usize, [usize; 3])> {
        let image = [h, w, c];
        let classes = torch::classes_of(&named.build(10, image)?, &given).unwrap_or(10);
        Ok((torch::fit(&named.build(classes, image)?, &given, options.eps), classes, image))
    };
    let own = at(options.size.unwrap_or([h, w]))?;
    // Some models have other layers for small images than for photos, which their weights show.
    let photo = (options.size.is_none() && !own.0.missing.is_empty()).then(|| at(PHOTO).ok()).flatten();
    let (fitted, classes, image) = photo.filter(|(fitted, ..)| fitted.missing.is_empty()).unwrap_or(own);
    if !fitted.missing.is_empty() {
        let detail = format!("{} does not fit {model}: missing {}", path.display(), few(&fitted.missing));
        let extra =
            if fitted.extra.is_empty() { String::new() } else { format!("; it has {} instead", few(&fitted.extra)) };
        told.extend((!unread.is_empty()).then(|| format!("not read: {}", few(&unread))));
        let told: String = told.iter().map(|text| format!("; {text}")).collect();
        return Err(TrainError::Setting(detail + &extra + &told));
    }
    let classes = match &options.classes {
        Some(names) if names.len() == classes => names.clone(),
        Some(names) => {
            return Err(TrainError::Setting(format!("{} names of {classes} classes were given", names.len())));
        }
        None => (0..classes).map(|i| i.to_string()).collect(),
    };
    let usual = |given: &Option<Vec<f32>>, usual: [f32; 3]| {
        given.clone().unwrap_or_else(|| if c == 3 { usual.to_vec() } else { vec![0.5; c] })
    };
    let info = ModelInfo {
        model: named.name.clone(),
        task: "classification".into(),
        image,
        resize: options.resize.unwrap_or(usual_resize(image)).name().into(),
        classes,
        mean: usual(&options.mean, [0.485, 0.456, 0.406]),
        std: usual(&options.std, [0.229, 0.224, 0.225]),
        described: named.text.as_deref().map(str::to_string),
    };
    told.extend((!fitted.extra.is_empty()).then(|| format!("left out: {}", few(&fitted.extra))));
    told.extend((!unread.is_empty()).then(|| format!("not read: {}", few(&unread))));
    told.extend(fitted.remarks);
    Ok((Weights::of(path, info, fitted.tensors)?, told))
}

/// The first few of a list.
fn few(list: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown = list.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if list.len() > SHOWN { format!("{shown} and {} more", list.len() - SHOWN) } else { shown }
}

/// What is told of a file without a size.
const OPEN: &str = "it leaves the size of its images open: tell it by --size to train or summary, or make a folder of it by `chiaro import FILE \
                    --size N --out DIR`";

fn image_of(options: &ImportOptions, classifier: &OnnxClassifier) -> std::result::Result<[usize; 3], OnnxError> {
    let [h, w, c] = classifier.image;
    let told = classifier.model().metadata("imgsz").and_then(|text| {
        let numbers: Vec<usize> = text.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
        match numbers[..] {
            [both] => Some([both; 2]),
            [h, w, ..] => Some([h, w]),
            [] => None,
        }
    });
    let [oh, ow] = options.size.or(options.open_size).or(told).unwrap_or([0, 0]);
    let one = |own: usize, given: usize| if own > 0 { own } else { given };
    let image = [one(h, oh), one(w, ow), one(c, 3)];
    if image.contains(&0) {
        return Err(OnnxError::Classifier(OPEN.into()));
    }
    if let Some(size) = options.size.filter(|size| *size != [image[0], image[1]]) {
        let detail = format!("it is made for images of {}x{}, not {}x{}", image[0], image[1], size[0], size[1]);
        return Err(OnnxError::Classifier(detail));
    }
    Ok(image)
}

/// Names of the classes: those given, those of the file, or numbers.
fn names(options: &ImportOptions, classifier: &OnnxClassifier, classes: usize) -> Result<Vec<String>> {
    let own = classifier.model().metadata("names").and_then(named);
    match options.classes.clone().or(own) {
        Some(names) if names.len() == classes => Ok(names),
        Some(names) => Err(TrainError::Setting(format!(
            "{} names of classes were given, the model has {classes} classes",
            names.len()
        ))),
        None => Ok((0..classes).map(|i| i.to_string()).collect()),
    }
}

/// Names as Ultralytics writes them, `{0: 'cat', 1: 'dog'}`, or as a JSON list.
fn named(text: &str) -> Option<Vec<String>> {
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
        names.insert(number.trim().parse::<usize>().ok()?, name);
        rest = value[end?..].trim_start().trim_start_matches(',').trim_start();
    }
    names.keys().copied().eq(0..names.len()).then(|| names.into_values().collect())
}

/// Mean and deviation of the channels: those given, or of the file; a file that takes pixels as they are gets them so.
fn normalisation(
    options: &ImportOptions,
    classifier: &OnnxClassifier,
    channels: usize,
) -> Result<(Vec<f32>, Vec<f32>)> {
    let told = |key: &str| -> Option<Vec<f32>> {
        let text = classifier.model().metadata(key)?.trim_matches(['[', ']', ' ']).to_string();
        let numbers = text.split([',', ' ']).filter(|t| !t.is_empty()).map(|t| t.parse().ok());
        // In the file's order of channels, which becomes ours.
        let numbers: Option<Vec<f32>> = numbers.collect();
        numbers.map(|mut numbers| {
            if classifier.is_bgr {
                numbers.reverse();
            }
            numbers
        })
    };
    if classifier.takes_pixels {
        return Ok((vec![0.0; channels], vec![1.0 / 255.0; channels]));
    }
    let either = |given: &Option<Vec<f32>>, key: &str, usual: [f32; 3]| {
        let usual = if channels == 3 { usual.to_vec() } else { vec![0.5; channels] };
        let spread = |v: Vec<f32>| if v.len() == 1 { vec![v[0]; channels] } else { v };
        spread(given.clone().or_else(|| told(key)).unwrap_or(usual))
    };
    // ImageNet's, which most networks were trained with.
    let mean = either(&options.mean, "mean", [0.485, 0.456, 0.406]);
    let std = either(&options.std, "std", [0.229, 0.224, 0.225]);
    // A file of another program may tell them of pixels as they are.
    let of_pixels = |v: &[f32]| v.iter().any(|v| v.abs() > 2.0);
    if (options.mean.is_none() && of_pixels(&mean)) || (options.std.is_none() && of_pixels(&std)) {
        let by_255 = |v: &[f32]| v.iter().map(|v| format!("{:.4}", v / 255.0)).collect::<Vec<_>>().join(",");
        return Err(TrainError::Setting(format!(
            "the file tells the mean {mean:?} and deviation {std:?}, of pixels from 0 to 255; here they are from 0 to 1: \
             divide them by 255, by `chiaro import FILE --mean {} --std {}`",
            by_255(&mean),
            by_255(&std)
        )));
    }
    if mean.len() != channels || std.len() != channels || std.iter().any(|s| *s <= 0.0 || s.is_nan()) {
        return Err(TrainError::Setting(format!("mean and std must be one number, or {channels}, and std positive")));
    }
    Ok((mean, std))
}

/// Writes the structure of a model that came as a file beside its weights.
pub(crate) fn save_beside(folder: &Path, model: &str) -> Result<()> {
    let Some(bytes) = registry::structure(model) else { return Ok(()) };
    Ok(write_whole(&folder.join(model), &bytes)?)
}

/// Makes a model known whose structure lies beside its weights.
pub(crate) fn known_beside(folder: &Path, model: &str) -> Result<()> {
    if !model.ends_with(registry::ENDING) || model.contains(['/', '\\']) || registry::structure(model).is_some() {
        return Ok(());
    }
    let path = folder.join(model);
    let bytes = std::fs::read(&path).map_err(|cause| TrainError::read(&path, cause))?;
    registry::register_structure(model, bytes).map_err(|cause| TrainError::Onnx { path, cause: Box::new(cause) })
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn names_are_read_as_others_write_them() {
        let wanted = Some(vec!["it's".to_string(), "a \"dog\"".to_string()]);
        assert_eq!(named(r#"{0: "it's", 1: 'a "dog"'}"#), wanted);
        assert_eq!(named(r#"["it's", "a \"dog\""]"#), wanted);
        assert_eq!(named("{0: 'a', 2: 'b'}"), None);
        assert_eq!(named("{0: 'a"), None);
    }
}
