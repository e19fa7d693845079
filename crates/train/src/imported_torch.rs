//! Weights of PyTorch for a model of this project, and which model weights are of.

use std::collections::BTreeMap;
use std::path::Path;

use chiaro_graph::Tensor;
use chiaro_io::{ModelInfo, Weights, torch};
use chiaro_nn::models::{self, NamedModel};

use crate::error::{Result, TrainError};
use crate::imported::{ImportOptions, usual_resize};
use crate::named_model::named_model;

/// Height and width of photos, as networks of ImageNet take them.
const PHOTO: [usize; 2] = [224; 2];

/// Reads a file, by what is in it; of a damaged file its ending tells what to expect.
fn read(path: &Path) -> Result<torch::StateDict> {
    let ending = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("safetensors"));
    let is_safetensors = !torch::is_pickled(path) && (ending || torch::check_safetensors(path).is_ok());
    Ok(if is_safetensors {
        torch::StateDict { tensors: torch::load_safetensors(path)?, ..torch::StateDict::default() }
    } else {
        torch::read(path)?
    })
}

/// Weights as a model takes them.
struct Placed {
    fitted: torch::Fitted,
    classes: usize,
    image: [usize; 3],
}

/// The weights for a model. Some models have other layers for small images than for photos, which their weights show.
fn placed(options: &ImportOptions, named: &NamedModel, given: &BTreeMap<String, Tensor>) -> Result<Placed> {
    let [h, w, c] = named.image;
    let at = |[h, w]: [usize; 2]| -> Result<Placed> {
        let image = [h, w, c];
        let classes = torch::classes_of(&named.build(10, image)?, given).unwrap_or(10);
        Ok(Placed { fitted: torch::fit(&named.build(classes, image)?, given, options.eps), classes, image })
    };
    let own = at(options.size.unwrap_or([h, w]))?;
    let photo = (options.size.is_none() && !own.fitted.missing.is_empty()).then(|| at(PHOTO).ok()).flatten();
    Ok(photo.filter(|placed| placed.fitted.missing.is_empty()).unwrap_or(own))
}

/// The models of this project that have all of their weights in a file: those of which the file has the least besides.
fn fitting(options: &ImportOptions, given: &BTreeMap<String, Tensor>) -> Vec<String> {
    let named = models::names().into_iter().filter_map(|name| models::named(&name).ok());
    let fits = named.filter_map(|named| {
        let placed = placed(options, &named, given).ok().filter(|placed| placed.fitted.missing.is_empty())?;
        Some((placed.fitted.extra.len(), named.name))
    });
    let fits: Vec<(usize, String)> = fits.collect();
    let least = fits.iter().map(|(extra, _)| *extra).min();
    fits.into_iter().filter(|(extra, _)| Some(*extra) == least).map(|(_, name)| name).collect()
}

/// The model of this project that a file's weights are of, where it is one alone.
///
/// # Errors
/// If the file cannot be read, or its weights are of none of these models, or of several.
pub fn model_of_weights(options: &ImportOptions, path: &Path) -> Result<String> {
    let given = read(path)?.tensors;
    let found = fitting(options, &given);
    match &found[..] {
        [one] => Ok(one.clone()),
        [] => {
            let names: Vec<String> =
                given.iter().map(|(name, tensor)| format!("{name} {:?}", tensor.shape())).collect();
            Err(TrainError::Setting(format!(
                "{} has weights of none of `chiaro models`: {}; --model FILE.toml describes another, and a network that its own program exports \
                 as ONNX needs none",
                path.display(),
                few(&names)
            )))
        }
        several => Err(TrainError::Setting(format!(
            "the weights of {} fit {}: tell which by --model",
            path.display(),
            several.join(", ")
        ))),
    }
}

/// The weights of a PyTorch file (or of safetensors that others wrote) for a model of this project, and what did not fit.
pub(crate) fn import_torch(options: &ImportOptions, path: &Path, model: &str) -> Result<(Weights, Vec<String>)> {
    let torch::StateDict { tensors: given, unread, notes: mut told } = read(path)?;
    let unread: Vec<String> = unread.iter().map(|(name, what)| format!("{name} depends on {what}")).collect();
    let named = named_model(model, None)?;
    let Placed { fitted, classes, image } = placed(options, &named, &given)?;
    let c = image[2];
    if !fitted.missing.is_empty() {
        let detail = format!("{} does not fit {model}: missing {}", path.display(), few(&fitted.missing));
        let extra =
            if fitted.extra.is_empty() { String::new() } else { format!("; it has {} instead", few(&fitted.extra)) };
        told.extend((!unread.is_empty()).then(|| format!("not read: {}", few(&unread))));
        let told: String = told.iter().map(|text| format!("; {text}")).collect();
        let others = few(&fitting(options, &given));
        let others = if others.is_empty() { others } else { format!("; it fits {others}") };
        return Err(TrainError::Setting(detail + &extra + &told + &others));
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
