//! Models by name. They take their extents from the images they are recorded on.

mod lenet;
mod plain_cnn;
mod resnet;
mod small_cnn;

pub use lenet::LeNet;
pub use plain_cnn::PlainCnn;
pub use resnet::ResNet;
pub use small_cnn::SmallCnn;

use crate::context::{Context, Mode, Module};
use crate::error::{NnError, Result};
use chiaro_graph::{DType, Graph, Var};

/// The names that [`by_name`] knows.
pub const NAMES: &[&str] = &["small-cnn", "lenet5", "mnist-cnn", "tutorial-cnn", "resnet20", "resnet18"];

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
}

impl Model {
    /// A model of one's own; the layers are recorded once to see that they fit.
    ///
    /// # Errors
    /// If a layer does not fit its input, or the result is not `[N,classes]`.
    pub fn new(name: &str, image: [usize; 3], classes: usize, module: impl Module + 'static) -> Result<Model> {
        let model = Model { name: name.to_string(), image, classes, module: Box::new(module) };
        let mut graph = Graph::new();
        let [h, w, c] = image;
        let x = graph.input("images", &[1, h, w, c], DType::F32)?;
        model.record(&mut Context::new(&mut graph, Mode::Eval, None), x)?;
        Ok(model)
    }

    /// Records the layers on images `[N,H,W,C]`, giving f32 logits `[N,classes]`.
    ///
    /// # Errors
    /// If a layer does not fit its input, or the result is not `[N,classes]`.
    pub fn record(&self, ctx: &mut Context<'_>, images: Var) -> chiaro_graph::Result<Var> {
        let logits = self.module.forward(ctx, images)?;
        let want = [ctx.shape(images)[0], self.classes];
        if ctx.shape(logits) != want {
            let shapes = [ctx.shape(images), ctx.shape(logits)];
            return Err(ctx.shape_error(&self.name, &shapes, format!("the model must give {want:?}")));
        }
        ctx.graph().cast(logits, DType::F32)
    }
}

/// The model of this name for images of height, width and channels `image`.
///
/// # Errors
/// If the name is unknown (the error lists those that exist), or the model does not fit the images.
pub fn by_name(name: &str, classes: usize, image: [usize; 3]) -> Result<Model> {
    let new = |module: Box<dyn Module>| Model::new(name, image, classes, module);
    if classes == 0 || image.contains(&0) {
        return Err(NnError::Option(format!("{name} cannot have {classes} classes and images of {image:?}")));
    }
    match name {
        "small-cnn" => new(Box::new(SmallCnn::new(classes))),
        "lenet5" => new(Box::new(LeNet::for_image(classes, image))),
        "mnist-cnn" => new(Box::new(PlainCnn { classes, pool_after_first: false })),
        "tutorial-cnn" => new(Box::new(PlainCnn { classes, pool_after_first: true })),
        "resnet20" => new(Box::new(ResNet::resnet20(classes))),
        "resnet18" => new(Box::new(ResNet::resnet18(classes))),
        _ => {
            let known = NAMES.iter().map(ToString::to_string).collect();
            Err(NnError::Unknown { kind: "model", name: name.to_string(), known })
        }
    }
}
