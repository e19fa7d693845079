//! Models by name: this project's own, one file each, and those that a program registers.

mod lenet;
mod named;
mod plain_cnn;
mod resnet;
mod small_cnn;
mod vgg;

pub use lenet::LeNet;
pub use plain_cnn::PlainCnn;
pub use resnet::ResNet;
pub use small_cnn::SmallCnn;
pub use vgg::Vgg;

pub use named::{NamedModel, by_name, named, names, register};

use crate::context::{Context, Module};
use crate::declare::Declared;
use crate::error::Result;
use chiaro_graph::{DType, GraphError, Var};

/// This project's own models: name, the images it was made for, and its layers for a number of classes and an image's height,
/// width and channels.
fn own() -> Vec<NamedModel> {
    vec![
        NamedModel::new("small-cnn", [28, 28, 1], |classes, _| Ok(SmallCnn::new(classes))),
        NamedModel::new("lenet5", [28, 28, 1], |classes, image| Ok(LeNet::for_image(classes, image))),
        NamedModel::new("mnist-cnn", [28, 28, 1], |classes, _| Ok(PlainCnn { classes, pool_after_first: false })),
        NamedModel::new("tutorial-cnn", [64, 64, 3], |classes, _| Ok(PlainCnn { classes, pool_after_first: true })),
        NamedModel::new("resnet20", [32, 32, 3], |classes, _| Ok(ResNet::resnet20(classes))),
        NamedModel::new("resnet18", [32, 32, 3], |classes, _| Ok(ResNet::resnet18(classes))),
        NamedModel::new("vgg11", [224, 224, 3], |classes, _| Ok(Vgg::vgg11(classes))),
    ]
}

/// A classifier with the images and the number of classes it is for.
pub struct Model {
    /// Name, for files and reports.
    pub name: String,
    /// Height, width and channels of an image.
    pub image: [usize; 3],
    /// Number of classes.
    pub classes: usize,
    /// The layers: `[N,H,W,C]` to `[N,classes]`.
    pub module: Box<dyn Module>,
    declared: Declared,
}

impl Model {
    /// A model of one's own.
    ///
    /// # Errors
    /// If a layer does not fit its input, or the result is not `[N,classes]`.
    pub fn new(name: &str, image: [usize; 3], classes: usize, module: impl Module + 'static) -> Result<Model> {
        let [h, w, c] = image;
        let x = [1, h, w, c];
        let (declared, logits) = Declared::of(&module, &x)?;
        if logits != [1, classes] {
            let detail = format!("the model must give {:?}", [1, classes]);
            let shapes = vec![x.to_vec(), logits];
            return Err(GraphError::Shape { op: name.into(), shapes, detail, path: String::new() }.into());
        }
        Ok(Model { name: name.to_string(), image, classes, module: Box::new(module), declared })
    }

    /// What its layers declare for one image: parameters, statistics, shapes and work.
    pub fn declared(&self) -> &Declared {
        &self.declared
    }

    /// Records the layers on images `[N,H,W,C]`, giving f32 logits `[N,classes]`.
    ///
    /// # Errors
    /// If a layer does not fit its input, or the result is not `[N,classes]`.
    pub fn record(&self, ctx: &mut Context<'_>, images: Var) -> chiaro_graph::Result<Var> {
        let logits = ctx.record(&self.declared, |ctx| self.module.forward(ctx, images))?;
        let want = [ctx.shape(images)[0], self.classes];
        if ctx.shape(logits) != want {
            let shapes = [ctx.shape(images), ctx.shape(logits)];
            return Err(ctx.shape_error(&self.name, &shapes, format!("the model must give {want:?}")));
        }
        ctx.graph().cast(logits, DType::F32)
    }
}
