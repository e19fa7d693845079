//! The data of a run: both splits opened, thinned to the limit, with the normalisation that goes with them.

use std::path::Path;
use std::sync::Arc;

use chiaro_data::{Channels, Dataset, FolderNotes, Layout, Normalize, OpenOptions, open};
use chiaro_io::ModelInfo;

use crate::error::{Result, TrainError};
use crate::run_config::DataInfo;

/// A training and a test set with their normalisation.
pub struct Data {
    /// The training images.
    pub train: Arc<dyn Dataset>,
    /// The test images.
    pub test: Arc<dyn Dataset>,
    /// How pixels become the model's input.
    pub normalize: Normalize,
    /// Files that were left out.
    pub notes: FolderNotes,
    /// How the data lies on disk; `None` if it was given in memory.
    pub layout: Option<Layout>,
}

impl Data {
    /// Opens a folder, keeps `limit` images of each split, spread evenly over it, and measures the training images.
    ///
    /// # Errors
    /// Those of [`chiaro_data::open`].
    pub fn open(folder: &Path, options: &OpenOptions, limit: Option<usize>) -> Result<Data> {
        if limit == Some(0) {
            return Err(TrainError::setting("the limit must be at least 1 image"));
        }
        let opened = open(folder, options)?;
        let train = limited(opened.train, limit);
        let normalize = Normalize::measure(&*train)?;
        let test = limited(opened.test, limit);
        Ok(Data { train, test, normalize, notes: opened.notes, layout: Some(opened.layout) })
    }

    /// Opens a folder for a model that was trained before: same image shape and normalisation.
    ///
    /// # Errors
    /// Those of [`chiaro_data::open`]; [`TrainError::OtherData`] if shapes or classes differ.
    pub fn open_like(folder: &Path, strict: bool, limit: Option<usize>, like: &ModelInfo) -> Result<Data> {
        let [height, width, channels] = like.image;
        let channels = match channels {
            1 => Some(Channels::Grey),
            3 => Some(Channels::Rgb),
            _ => None,
        };
        let options = OpenOptions { size: Some([height, width]), channels, strict, ..OpenOptions::default() };
        let opened = open(folder, &options)?;
        let classes = opened.train.classes();
        if classes != like.classes {
            return Err(TrainError::OtherData {
                found: format!("the {} classes {}", classes.len(), shortened(classes)),
                expected: format!("the {} classes {}", like.classes.len(), shortened(&like.classes)),
            });
        }
        Ok(Data {
            train: limited(opened.train, limit),
            test: limited(opened.test, limit),
            normalize: Normalize::new(like.mean.clone(), like.std.clone())?,
            notes: opened.notes,
            layout: Some(opened.layout),
        })
    }

    /// Data that is in memory already.
    ///
    /// # Errors
    /// If the splits differ in shape or classes, a label is none of the classes, or the training set is empty.
    pub fn new(train: Arc<dyn Dataset>, test: Arc<dyn Dataset>) -> Result<Data> {
        if train.image_shape() != test.image_shape() || train.classes() != test.classes() {
            return Err(TrainError::setting("training and test set differ in image shape or classes"));
        }
        check_labels("training", &*train)?;
        check_labels("test", &*test)?;
        let normalize = Normalize::measure(&*train)?;
        Ok(Data { train, test, normalize, notes: FolderNotes::default(), layout: None })
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.train.classes().len()
    }

    /// What weights of a model trained on this data tell about themselves.
    pub(crate) fn model_info(&self, model: &str) -> ModelInfo {
        ModelInfo {
            model: model.to_string(),
            image: self.train.image_shape(),
            classes: self.train.classes().to_vec(),
            mean: self.normalize.mean().to_vec(),
            std: self.normalize.std().to_vec(),
        }
    }

    pub(crate) fn info(&self) -> DataInfo {
        DataInfo {
            image_shape: self.train.image_shape(),
            classes: self.train.classes().to_vec(),
            mean: self.normalize.mean().to_vec(),
            std: self.normalize.std().to_vec(),
            train_images: self.train.len(),
            eval_images: self.test.len(),
            train_labels: labels(&*self.train),
            eval_labels: labels(&*self.test),
        }
    }
}

/// CRC-32 of the labels in their order.
fn labels(dataset: &dyn Dataset) -> String {
    let mut sum = crc32fast::Hasher::new();
    (0..dataset.len()).for_each(|i| sum.update(&dataset.label(i).to_le_bytes()));
    format!("{:08x}", sum.finalize())
}

/// Refuses a label that no class has: data sets of other crates can hold any.
fn check_labels(split: &str, set: &dyn Dataset) -> Result<()> {
    let classes = set.classes().len();
    match (0..set.len()).find(|&i| set.label(i) as usize >= classes) {
        None => Ok(()),
        Some(i) => Err(TrainError::setting(format!(
            "image {i} of the {split} set has label {}, but labels are 0 to {} for {classes} classes",
            set.label(i),
            classes.saturating_sub(1)
        ))),
    }
}

fn shortened(classes: &[String]) -> String {
    let some: Vec<&str> = classes.iter().take(5).map(String::as_str).collect();
    let more = if classes.len() > some.len() { ", …" } else { "" };
    format!("({}{more})", some.join(", "))
}

fn limited(dataset: Arc<dyn Dataset>, limit: Option<usize>) -> Arc<dyn Dataset> {
    match limit {
        Some(limit) if limit < dataset.len() => Arc::new(Limited { dataset, limit }),
        _ => dataset,
    }
}

/// `limit` images of a data set, spread evenly over it: folders come sorted by class.
struct Limited {
    dataset: Arc<dyn Dataset>,
    limit: usize,
}

impl Limited {
    fn place(&self, index: usize) -> usize {
        index * self.dataset.len() / self.limit
    }
}

impl Dataset for Limited {
    fn len(&self) -> usize {
        self.limit
    }

    fn image_shape(&self) -> [usize; 3] {
        self.dataset.image_shape()
    }

    fn classes(&self) -> &[String] {
        self.dataset.classes()
    }

    fn label(&self, index: usize) -> u32 {
        self.dataset.label(self.place(index))
    }

    fn write_image(&self, index: usize, out: &mut [u8]) -> std::result::Result<(), chiaro_data::DataError> {
        self.dataset.write_image(self.place(index), out)
    }

    fn in_memory(&self) -> bool {
        self.dataset.in_memory()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two images of which the second has this label.
    struct Labelled(u32, Vec<String>);

    impl Dataset for Labelled {
        fn len(&self) -> usize {
            2
        }

        fn image_shape(&self) -> [usize; 3] {
            [1, 1, 1]
        }

        fn classes(&self) -> &[String] {
            &self.1
        }

        fn label(&self, index: usize) -> u32 {
            if index == 1 { self.0 } else { 0 }
        }

        fn write_image(&self, _index: usize, out: &mut [u8]) -> std::result::Result<(), chiaro_data::DataError> {
            out.fill(7);
            Ok(())
        }
    }

    #[test]
    fn a_label_that_no_class_has_is_refused_with_the_image_that_has_it() {
        let set = |label| Arc::new(Labelled(label, vec!["a".into(), "b".into()])) as Arc<dyn Dataset>;
        assert!(Data::new(set(1), set(0)).is_ok());
        let message = |train, test| Data::new(set(train), set(test)).err().expect("a wrong label").to_string();
        assert_eq!(message(1, 9), "image 1 of the test set has label 9, but labels are 0 to 1 for 2 classes");
        assert!(message(2, 0).starts_with("image 1 of the training set has label 2"));
    }
}
