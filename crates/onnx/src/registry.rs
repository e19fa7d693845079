//! ONNX models under names, as settings and weights name this project's own; and their structures, for who saves weights.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use chiaro_nn::NnError;
use chiaro_nn::models::{NamedModel, named, register as register_model};

use crate::classifier::OnnxClassifier;
use crate::error::{OnnxError, Result};
use crate::model::OnnxModel;
use crate::parts::parts;

/// What names of such models end with; files of structures have the same names.
pub const ENDING: &str = ".onnx";

static STRUCTURES: Mutex<BTreeMap<String, Vec<u8>>> = Mutex::new(BTreeMap::new());

/// Of models that were built, by the images that they were built for: whether they keep pictures apart, and whether their batch is fixed.
static BUILT: Mutex<BTreeMap<(String, [usize; 3]), Batches>> = Mutex::new(BTreeMap::new());

/// The part of each state of the models that were built.
static PARTS: Mutex<BTreeMap<String, Arc<BTreeMap<String, String>>>> = Mutex::new(BTreeMap::new());

/// How many pictures a model can be asked about at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batches {
    /// Any number.
    Any,
    /// One, as its file does not keep pictures of a batch apart; the file has an open batch.
    OpenAlone,
    /// The same, and the file was made for a fixed number.
    FixedAlone,
}

/// How many pictures at a time a model of this name can be asked about, as it was built for such images. Any number for models that came
/// from no file.
pub fn batches(name: &str, image: [usize; 3]) -> Batches {
    let built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    built.get(&(name.to_string(), image)).copied().unwrap_or(Batches::Any)
}

/// The part of each state of a model of this name, once it was built: the weights of one node are one part. Nothing of models that came from
/// no file.
pub fn parts_by_node(name: &str) -> Option<Arc<BTreeMap<String, String>>> {
    PARTS.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
}

/// How many pictures a model can be asked about that is being built.
fn found(name: &str, classifier: &OnnxClassifier, image: [usize; 3]) -> Batches {
    let key = (name.to_string(), image);
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    *built.entry(key).or_insert_with(|| match (classifier.keeps_apart(image), classifier.fixed_batch) {
        (true, _) => Batches::Any,
        (false, false) => Batches::OpenAlone,
        (false, true) => Batches::FixedAlone,
    })
}

/// Images where a file leaves their size open.
const USUAL: usize = 224;

/// Gives a classifier a name for as long as the process runs: `stem`, a checksum of its structure, and `.onnx`. The same model
/// again has the same name.
///
/// # Errors
/// If it does not fit images of the size that it declares.
pub fn register(stem: &str, classifier: OnnxClassifier) -> Result<String> {
    let usual = |n: usize, other: usize| if n == 0 { other } else { n };
    let [h, w, c] = classifier.image;
    let image = [usual(h, USUAL), usual(w, USUAL), usual(c, 3)];
    let bytes = classifier.structure(image)?;
    let name = format!("{stem}-{:08x}{ENDING}", crc32fast::hash(&bytes));
    // Without the weights, which whoever imports has taken: recording it moves none of them about.
    add(&name, image, OnnxClassifier::new(OnnxModel::parse(bytes.clone().into(), None)?)?)?;
    STRUCTURES.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), bytes);
    Ok(name)
}

/// Gives the classifier of a structure the name that it was saved under.
///
/// # Errors
/// If the bytes are no classifier's, or others than the name tells.
pub fn register_structure(name: &str, bytes: Vec<u8>) -> Result<()> {
    let sum = name.strip_suffix(ENDING).and_then(|name| name.rsplit('-').next());
    if sum != Some(format!("{:08x}", crc32fast::hash(&bytes)).as_str()) {
        return Err(OnnxError::Format(format!(
            "{name} does not have the checksum of its name: it was changed or damaged"
        )));
    }
    let model = OnnxModel::parse(bytes.clone().into(), None)?;
    let classifier = OnnxClassifier::new(model)?;
    let usual = |n: usize, other: usize| if n == 0 { other } else { n };
    let [h, w, c] = classifier.image;
    add(name, [usual(h, USUAL), usual(w, USUAL), usual(c, 3)], classifier)?;
    STRUCTURES.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_string(), bytes);
    Ok(())
}

/// The structure of a registered model, to be saved beside its weights.
pub fn structure(name: &str) -> Option<Vec<u8>> {
    STRUCTURES.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
}

fn add(name: &str, image: [usize; 3], classifier: OnnxClassifier) -> Result<()> {
    if named(name).is_ok() {
        return Ok(());
    }
    let own = name.to_string();
    let make = move |classes: usize, image: [usize; 3]| -> chiaro_nn::Result<OnnxClassifier> {
        let fault = |e: OnnxError| NnError::Option(e.to_string());
        let (takes, given) = (classifier.image[2], image[2]);
        if takes != 0 && takes != given {
            return Err(NnError::Option(format!(
                "the network of {own} takes images of {takes} channel{}, not of {given}: --channels {takes} brings images to them",
                if takes == 1 { "" } else { "s" }
            )));
        }
        let alone = found(&own, &classifier, image) != Batches::Any;
        let [h, w, c] = image;
        let found = parts(&classifier.dry(&[1, h, w, c]).map_err(fault)?.takers);
        PARTS.lock().unwrap_or_else(PoisonError::into_inner).entry(own.clone()).or_insert_with(|| Arc::new(found));
        let mut classifier = classifier.clone();
        classifier.alone = alone;
        if classifier.classes(image).map_err(fault)? == classes {
            return Ok(classifier);
        }
        classifier.with_classes(classes).map_err(fault)
    };
    match register_model(NamedModel::new(name, image, make)) {
        Ok(()) => Ok(()),
        // Another thread was faster.
        Err(_) if named(name).is_ok() => Ok(()),
        Err(other) => Err(OnnxError::Classifier(other.to_string())),
    }
}
