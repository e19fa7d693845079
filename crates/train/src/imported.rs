//! Models that come as ONNX files: their weights and what is told of their images; and the files of their structures, which lie
//! beside weights that name them.

use std::collections::BTreeMap;
use std::path::Path;

use chiaro_data::Resize;
use chiaro_io::{ModelInfo, Weights, torch, write_whole};
use chiaro_onnx::registry;
use chiaro_onnx::{OnnxClassifier, OnnxError, OnnxModel};

use crate::beside::Beside;
use crate::calibration;
use crate::class_names::{self, Told};
use crate::error::{Result, TrainError};
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
pub(crate) fn usual_resize([h, w, c]: [usize; 3]) -> Resize {
    const LEAST: usize = 128;
    if h == w && h >= LEAST && c == 3 { Resize::Crop } else { Resize::default() }
}

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
    let failed = |cause| match cause {
        OnnxError::File { path: of, cause } if of == path => TrainError::read(path, cause),
        cause => TrainError::Onnx { path: path.to_path_buf(), cause: Box::new(cause) },
    };
    let model = OnnxModel::read(path).map_err(failed)?;
    let mut classifier = OnnxClassifier::new(model).map_err(failed)?;
    let beside = Beside::of(path);
    let image = image_of(options, &classifier, beside.size).map_err(failed)?;
    let classes = classifier.classes(image).map_err(failed)?;
    let (classes, names_from) = names(options, &classifier, &beside, classes)?;
    let (mean, std, teller) = prepared(options, &classifier, &beside, image[2])?;
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
    let mut notes = not_used(path, &classifier);
    notes.extend(beside.notes(matches!(names_from, Names::Beside), teller == Teller::Beside));
    if let Names::Unused(why) = names_from {
        notes.push(format!("{} {why}", path.display()));
    }
    if teller == Teller::Network {
        notes.push(format!("{} scales pixels itself: it is given them from 0 to 255", path.display()));
    }
    // The size that it is used with is the one that it must fit.
    classifier.image = image;
    let name = registry::register(&stem, classifier).map_err(failed)?;
    let info = ModelInfo { model: name.clone(), task, image, resize, classes, mean, std, described: None };
    let mut weights = Weights::of(path, info, tensors)?;
    weights.extra = calibrated;
    Ok(Imported { weights, name, guessed: teller == Teller::Nobody, notes })
}

/// What a file says that is not used, or not in a way that is read.
fn not_used(path: &Path, classifier: &OnnxClassifier) -> Vec<String> {
    let told = |key| classifier.model().metadata(key);
    let mut notes = vec![];
    if let Some((taken, others)) = classifier.several_outputs() {
        let others = others.join(", ");
        notes.push(format!("{} has several outputs: {taken} is taken, {others} not", path.display()));
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

/// What is told of a file without a size.
fn open([h, w, _]: [usize; 3]) -> String {
    let size = match (h, w) {
        (0, 0) => "N, or HEIGHTxWIDTH".to_string(),
        (0, w) => format!("HEIGHTx{w}"),
        (h, _) => format!("{h}xWIDTH"),
    };
    format!(
        "it leaves the size of its images open: tell it by --size to train or summary, or make a folder of it by `chiaro import FILE --size {size}`"
    )
}

fn image_of(
    options: &ImportOptions,
    classifier: &OnnxClassifier,
    beside: Option<[usize; 2]>,
) -> std::result::Result<[usize; 3], OnnxError> {
    let [h, w, c] = classifier.image;
    let told = classifier.model().metadata("imgsz").and_then(|text| {
        let numbers: Vec<usize> = text.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
        match numbers[..] {
            [both] => Some([both; 2]),
            [h, w, ..] => Some([h, w]),
            [] => None,
        }
    });
    let [oh, ow] = options.size.or(options.open_size).or(told).or(beside).unwrap_or([0, 0]);
    let one = |own: usize, given: usize| if own > 0 { own } else { given };
    let image = [one(h, oh), one(w, ow), one(c, 3)];
    if image.contains(&0) {
        return Err(OnnxError::Classifier(open(classifier.image)));
    }
    if let Some(size) = options.size.filter(|size| *size != [image[0], image[1]]) {
        let detail = format!("it is made for images of {}x{}, not {}x{}", image[0], image[1], size[0], size[1]);
        return Err(OnnxError::Classifier(detail));
    }
    Ok(image)
}

/// Names of the classes: those given, those of the file or beside it, or numbers; and what is to be told of them.
fn names(
    options: &ImportOptions,
    classifier: &OnnxClassifier,
    beside: &Beside,
    classes: usize,
) -> Result<(Vec<String>, Names)> {
    if let Some(given) = &options.classes {
        if given.len() != classes {
            return Err(TrainError::Setting(format!(
                "{} names of classes were given, the model has {classes} classes",
                given.len()
            )));
        }
        return Ok((given.clone(), Names::Own));
    }
    let numbers = || (0..classes).map(|i| i.to_string()).collect();
    let near = beside.names.clone().filter(|names| names.len() == classes);
    Ok(match (class_names::told(classifier.model(), classes), near) {
        (Told::Names(names), _) => (names, Names::Own),
        (_, Some(names)) => (names, Names::Beside),
        (Told::Unused(why), None) => (numbers(), Names::Unused(why)),
        (Told::Nothing, None) => (numbers(), Names::Own),
    })
}

/// Where names of classes are from.
enum Names {
    /// Given or of the file, or there are none.
    Own,
    Beside,
    /// Those of the file are not used, for a reason.
    Unused(String),
}

/// Who tells how pixels become a network's input.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Teller {
    /// An option, or the file.
    Told,
    Beside,
    /// What the network does first.
    Network,
    Nobody,
}

/// Mean and deviation of the channels, and who told them. Where neither options nor file do, what lies beside the file, or what the network
/// does with its images, is better than a guess.
fn prepared(
    options: &ImportOptions,
    classifier: &OnnxClassifier,
    beside: &Beside,
    channels: usize,
) -> Result<(Vec<f32>, Vec<f32>, Teller)> {
    let told = |given: &Option<Vec<f32>>, key| given.is_some() || classifier.model().metadata(key).is_some();
    let [mean, std] = [told(&options.mean, "mean"), told(&options.std, "std")];
    let (usual, teller) = if classifier.takes_pixels || (mean && std) {
        (None, Teller::Told)
    } else if mean || std {
        (None, Teller::Nobody)
    } else if let Some(normal) = beside.normal.clone() {
        (Some(normal), Teller::Beside)
    } else if classifier.scales_pixels() {
        (Some((vec![0.0], vec![1.0 / 255.0])), Teller::Network)
    } else {
        (None, Teller::Nobody)
    };
    let mut options = options.clone();
    if let Some((mean, std)) = usual {
        (options.mean, options.std) = (Some(mean), Some(std));
    }
    let (mean, std) = normalisation(&options, classifier, channels)?;
    Ok((mean, std, teller))
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
