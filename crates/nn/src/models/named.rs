//! The registry of models: what a name stands for.

use super::{Model, own};
use crate::context::Module;
use crate::error::{NnError, Result};
use crate::registry::{Named, Registry};
use std::fmt;
use std::sync::{Arc, RwLock};

type Make = Arc<dyn Fn(usize, [usize; 3]) -> Result<Box<dyn Module>> + Send + Sync>;

/// A model that settings and weights can name.
#[derive(Clone)]
pub struct NamedModel {
    /// The name.
    pub name: String,
    /// Height, width and channels of the images that it was made for.
    pub image: [usize; 3],
    /// Other names by which it is found, as torchvision and timm have them.
    pub aliases: &'static [&'static str],
    /// The text that describes it, where it is no model of the registry.
    pub text: Option<Arc<str>>,
    make: Make,
}

impl fmt::Debug for NamedModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NamedModel {{ name: {:?}, image: {:?} }}", self.name, self.image)
    }
}

impl NamedModel {
    /// A model of this name, made for images of this height, width and number of channels; `make` gives its layers for a number
    /// of classes and other images. It must always give the same, since weights are opened by the name.
    pub fn new<M: Module + 'static>(
        name: &str,
        image: [usize; 3],
        make: impl Fn(usize, [usize; 3]) -> Result<M> + Send + Sync + 'static,
    ) -> NamedModel {
        let make: Make = Arc::new(move |classes, image| Ok(Box::new(make(classes, image)?) as Box<dyn Module>));
        NamedModel { name: name.to_string(), image, aliases: &[], text: None, make }
    }

    /// The same, found by other names too.
    pub fn also(self, aliases: &'static [&'static str]) -> NamedModel {
        NamedModel { aliases, ..self }
    }

    /// The model for these classes and images.
    ///
    /// # Errors
    /// If it does not fit the images.
    pub fn build(&self, classes: usize, image: [usize; 3]) -> Result<Model> {
        if classes == 0 || image.contains(&0) {
            let name = &self.name;
            return Err(NnError::Option(format!("{name} cannot have {classes} classes and images of {image:?}")));
        }
        let model = Model::new(&self.name, image, classes, (self.make)(classes, image)?)?;
        Ok(Model { text: self.text.clone(), ..model })
    }

    /// The model for the images that it was made for.
    ///
    /// # Errors
    /// If there are no classes.
    pub fn usual(&self, classes: usize) -> Result<Model> {
        self.build(classes, self.image)
    }
}

impl Named for NamedModel {
    const KIND: &'static str = "model";

    fn name(&self) -> &str {
        &self.name
    }

    fn aliases(&self) -> &[&str] {
        self.aliases
    }
}

static MODELS: Registry<NamedModel> = Registry::new(|| RwLock::new(own()));

/// The names of all models: this project's own, then those that the program has registered.
pub fn names() -> Vec<String> {
    MODELS.all().into_iter().map(|model| model.name).collect()
}

/// What a name stands for.
///
/// # Errors
/// If it is unknown; the error lists those that exist.
pub fn named(name: &str) -> Result<NamedModel> {
    MODELS.find(name)
}

/// Adds a model of one's own for as long as the process runs: settings name it, and weights of it are opened by its name.
///
/// # Errors
/// If the name is taken.
pub fn register(model: NamedModel) -> Result<()> {
    MODELS.add(model)
}

/// The model of this name for images of height, width and channels `image`.
///
/// # Errors
/// If the name is unknown (the error lists those that exist), or the model does not fit the images.
pub fn by_name(name: &str, classes: usize, image: [usize; 3]) -> Result<Model> {
    named(name)?.build(classes, image)
}
