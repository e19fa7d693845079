//! The data of a run: a training set and one to evaluate on, with the normalisation that goes with them; and one split alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chiaro_data::{
    Channels, Dataset, FolderNotes, Holdout, Layout, Normalize, OpenOptions, Opened, OpenedSplit, Progress, Resize,
    Split, matched, open, open_split,
};
use chiaro_io::ModelInfo;
use chiaro_nn::Model;
use chiaro_onnx::registry::ENDING;

use crate::error::{Result, TrainError};
use crate::run_config::DataInfo;
use crate::task::Targets;

/// A training set and one to evaluate on with their normalisation.
pub struct Data {
    /// The training images.
    pub train: Arc<dyn Dataset>,
    /// The images that the model is evaluated on.
    pub eval: Arc<dyn Dataset>,
    /// Which split `eval` is: validation images, or test images where there are none.
    pub split: Split,
    /// Whether `eval` was held out of the training images.
    pub held_out: bool,
    /// How pixels become the model's input.
    pub normalize: Normalize,
    /// How images of other shapes were brought to this one.
    pub resize: Resize,
    /// Files that were left out.
    pub notes: FolderNotes,
    /// How the data lies on disk; `None` if it was given in memory.
    pub layout: Option<Layout>,
}

/// How a data set is opened for a model that was trained before, whose image shape is given.
#[derive(Clone, Debug, Default)]
pub struct LikeOptions {
    /// Refuse corrupt images, where otherwise they are skipped.
    pub strict: bool,
    /// Use only so many images of each split.
    pub limit: Option<usize>,
    /// Which training images were held out when the model was trained, if this is the data it was trained on.
    pub holdout: Option<Holdout>,
    /// The folder that decoded image files are packed in, if they are to be.
    pub pack_dir: Option<PathBuf>,
    /// Is told how far opening has come.
    pub progress: Option<Arc<Progress>>,
}

impl Data {
    /// Opens a folder and measures the training images.
    ///
    /// # Errors
    /// Those of [`chiaro_data::open`].
    pub fn open(folder: &Path, options: &OpenOptions) -> Result<Data> {
        if options.limit == Some(0) {
            return Err(TrainError::setting("the limit must be at least 1 image"));
        }
        if let Some(Err(error)) = options.holdout.as_ref().map(Holdout::check) {
            return Err(TrainError::Setting(error.to_string()));
        }
        let opened = open(folder, options)?;
        let unseen = Progress::default();
        let normalize = Normalize::measure_telling(&*opened.train, options.progress.as_deref().unwrap_or(&unseen))?;
        Ok(Data::opened(opened, normalize, options.resize))
    }

    /// Opens a folder for a model that was trained before: same image shape and normalisation.
    ///
    /// # Errors
    /// Those of [`chiaro_data::open`]; [`TrainError::OtherData`] if classes differ.
    pub fn open_like(folder: &Path, options: &LikeOptions, like: &ModelInfo) -> Result<Data> {
        let options = options.with_shape_of(like)?;
        let opened = open(folder, &options)?;
        check_same_classes(opened.train.classes(), like)?;
        Ok(Data::opened(opened, normalize_of(like)?, options.resize))
    }

    fn opened(opened: Opened, normalize: Normalize, resize: Resize) -> Data {
        let Opened { train, eval, split, held_out, layout, notes } = opened;
        Data { train, eval, split, held_out, normalize, resize, notes, layout: Some(layout) }
    }

    /// Data that is in memory already.
    ///
    /// # Errors
    /// If the sets differ in shape or classes, or the training set is empty.
    pub fn new(train: Arc<dyn Dataset>, eval: Arc<dyn Dataset>) -> Result<Data> {
        if train.image_shape() != eval.image_shape() || train.classes() != eval.classes() {
            return Err(TrainError::setting(
                "the training set and the one to evaluate on differ in image shape or classes",
            ));
        }
        let normalize = Normalize::measure(&*train)?;
        let notes = FolderNotes::default();
        let resize = Resize::default();
        Ok(Data { train, eval, split: Split::Val, held_out: false, normalize, resize, notes, layout: None })
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.train.classes().len()
    }

    /// What weights of a model trained on this data tell about themselves.
    pub(crate) fn model_info(&self, model: &Model, task: &str) -> ModelInfo {
        ModelInfo {
            model: model.name.clone(),
            described: model.text.as_deref().map(str::to_string),
            task: task.to_string(),
            image: self.train.image_shape(),
            resize: self.resize.name().to_string(),
            classes: self.train.classes().to_vec(),
            mean: self.normalize.mean().to_vec(),
            std: self.normalize.std().to_vec(),
        }
    }

    pub(crate) fn info(&self, train_targets: &Targets, eval_targets: &Targets) -> DataInfo {
        DataInfo {
            image_shape: self.train.image_shape(),
            classes: self.train.classes().to_vec(),
            mean: self.normalize.mean().to_vec(),
            std: self.normalize.std().to_vec(),
            train_images: self.train.len(),
            eval_images: self.eval.len(),
            eval_split: self.split.name().to_string(),
            train_labels: train_targets.checksum(),
            eval_labels: eval_targets.checksum(),
        }
    }
}

/// One split of a data set, opened for a model that was trained before.
pub struct EvalData {
    /// The images.
    pub set: Arc<dyn Dataset>,
    /// Which split they are.
    pub split: Split,
    /// Whether they are all images of a folder without splits.
    pub undivided: bool,
    /// How pixels become the model's input.
    pub normalize: Normalize,
    /// Files that were left out.
    pub notes: FolderNotes,
}

impl EvalData {
    /// Opens one split of a folder and nothing else; absent, it is the one that training evaluates on. Its classes are matched to
    /// the model's by their names, and some may be absent.
    ///
    /// # Errors
    /// Those of [`chiaro_data::open_split`]; [`TrainError::OtherData`] if it has images of a class that the model does not know, or
    /// has several of by that name.
    pub fn open(folder: &Path, split: Option<Split>, options: &LikeOptions, like: &ModelInfo) -> Result<EvalData> {
        let OpenedSplit { set, split, undivided, notes, .. } =
            open_split(folder, split, &options.with_shape_of(like)?)?;
        let found = set.classes().to_vec();
        check_told_apart(&found, &like.classes)?;
        let set = matched(set, &like.classes).map_err(|extra| other_classes(&found, &extra, like))?;
        Ok(EvalData { set, split, undivided, normalize: normalize_of(like)?, notes })
    }
}

impl LikeOptions {
    fn with_shape_of(&self, like: &ModelInfo) -> Result<OpenOptions> {
        let [height, width, channels] = like.image;
        let (size, channels, resize) = (Some([height, width]), Channels::of_count(channels), resize_of(like)?);
        let LikeOptions { strict, limit, holdout, pack_dir, progress } = self.clone();
        Ok(OpenOptions { size, channels, resize, strict, limit, holdout, pack_dir, progress, ..OpenOptions::default() })
    }
}

/// How images are brought to a model's shape.
pub(crate) fn resize_of(like: &ModelInfo) -> Result<Resize> {
    match like.resize.as_str() {
        "" => Ok(Resize::default()),
        name => {
            name.parse().map_err(|cause| TrainError::setting(format!("how the model's images are resized: {cause}")))
        }
    }
}

fn normalize_of(like: &ModelInfo) -> Result<Normalize> {
    Ok(Normalize::new(like.mean.clone(), like.std.clone())?)
}

/// Images of classes that a model does not know.
fn other_classes(found: &[String], extra: &[String], like: &ModelInfo) -> TrainError {
    let unknown = format!(", of which the model does not know {}", shortened(extra));
    let unknown = if extra.len() < found.len() { unknown } else { String::new() };
    let found = format!("the {} classes {}{unknown}", found.len(), shortened(found));
    let expected = format!("the {} classes {}{}", like.classes.len(), shortened(&like.classes), how_to_name(like));
    TrainError::OtherData { found, expected }
}

/// What helps where classes of a model that came as a file have no names, or others than its images.
fn how_to_name(like: &ModelInfo) -> String {
    let import = "`chiaro import FILE --classes names.txt --out DIR` gives them names, one a line in the order of the network's outputs";
    let numbered = like.classes.iter().enumerate().all(|(at, name)| *name == at.to_string());
    match (numbered, like.model.ends_with(ENDING)) {
        (true, _) => format!(", which are numbers; where a file told no names, {import}"),
        (false, true) => format!("; {import}"),
        (false, false) => String::new(),
    }
}

/// Refuses images of a class whose name several of the model's classes have.
fn check_told_apart(found: &[String], known: &[String]) -> Result<()> {
    for name in found {
        let same: Vec<String> =
            known.iter().enumerate().filter(|(_, own)| *own == name).map(|(at, _)| at.to_string()).collect();
        if same.len() > 1 {
            let expected = format!(
                "classes {}, which all have that name; `chiaro import FILE --classes names.txt` gives each its own",
                same.join(" and ")
            );
            return Err(TrainError::OtherData { found: format!("images of the class {name}"), expected });
        }
    }
    Ok(())
}

fn check_same_classes(classes: &[String], like: &ModelInfo) -> Result<()> {
    if classes == like.classes {
        return Ok(());
    }
    Err(TrainError::OtherData {
        found: format!("the {} classes {}", classes.len(), shortened(classes)),
        expected: format!("the {} classes {}", like.classes.len(), shortened(&like.classes)),
    })
}

fn shortened(classes: &[String]) -> String {
    let some: Vec<&str> = classes.iter().take(5).map(String::as_str).collect();
    let more = if classes.len() > some.len() { ", …" } else { "" };
    format!("({}{more})", some.join(", "))
}

#[cfg(test)]
mod tests {
    use super::check_told_apart;

    #[test]
    fn images_of_a_class_whose_name_several_have_are_refused() {
        let names = |some: &[&str]| some.iter().map(ToString::to_string).collect::<Vec<_>>();
        let known = names(&["a", "b", "a"]);
        assert!(check_told_apart(&names(&["b", "c"]), &known).is_ok());
        let error = check_told_apart(&names(&["b", "a"]), &known).expect_err("refused").to_string();
        assert!(error.contains("the class a") && error.contains("classes 0 and 2") && error.contains("--classes"));
    }
}
