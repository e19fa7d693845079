//! Models by name: this project's own, one file each, and those that a program registers.

mod airbench;
mod alexnet;
mod blocks;
mod convnext;
mod densenet;
mod described;
mod efficientnet;
mod inverted;
mod lenet;
mod mlp;
mod mobilenet_v2;
mod mobilenet_v3;
mod named;
mod plain_cnn;
mod regnet;
mod resnet;
mod shufflenet;
mod small_cnn;
mod squeezenet;
mod vgg;
mod vit;
mod wide_resnet;

pub use airbench::airbench94;
pub use alexnet::{alexnet, alexnet_of};
pub use convnext::{convnext, convnext_tiny};
pub use densenet::densenet121;
pub use described::DESCRIBED;
pub use efficientnet::{efficientnet_b0, efficientnet_lite0};
pub use lenet::LeNet;
pub use mlp::mlp;
pub use mobilenet_v2::mobilenet_v2;
pub use mobilenet_v3::{mobilenet_v3_large, mobilenet_v3_small};
pub use plain_cnn::PlainCnn;
pub use regnet::regnet_y_400mf;
pub use resnet::ResNet;
pub use shufflenet::shufflenet_v2;
pub use small_cnn::SmallCnn;
pub use squeezenet::squeezenet;
pub use vgg::Vgg;
pub use vit::{vit, vit_small, vit_tiny};
pub use wide_resnet::{wide_resnet, wide_resnet28_10};

pub use named::{NamedModel, by_name, named, names, register};

use crate::context::{Context, Module};
use crate::declare::Declared;
use crate::error::{NnError, Result};
use chiaro_graph::{DType, GraphError, Var};
use std::sync::Arc;

/// This project's own models: name, the images it was made for, and its layers for a number of classes and an image's height,
/// width and channels.
fn own() -> Vec<NamedModel> {
    let (digits, cifar, photos) = ([28, 28, 1], [32, 32, 3], [224, 224, 3]);
    vec![
        NamedModel::new("small-cnn", digits, |classes, _| Ok(SmallCnn::new(classes))),
        NamedModel::new("lenet5", digits, |classes, image| Ok(LeNet::for_image(classes, image))).also(&["lenet"]),
        NamedModel::new("mlp", digits, |classes, _| Ok(mlp(classes))),
        NamedModel::new("mnist-cnn", digits, |classes, _| Ok(PlainCnn { classes, pool_after_first: false })),
        NamedModel::new("tutorial-cnn", [64, 64, 3], |classes, _| Ok(PlainCnn { classes, pool_after_first: true })),
        NamedModel::new("airbench94", cifar, |classes, _| Ok(airbench94(classes))),
        NamedModel::new("resnet20", cifar, |classes, _| Ok(ResNet::cifar(3, classes))),
        NamedModel::new("resnet32", cifar, |classes, _| Ok(ResNet::cifar(5, classes))),
        NamedModel::new("resnet44", cifar, |classes, _| Ok(ResNet::cifar(7, classes))),
        NamedModel::new("resnet56", cifar, |classes, _| Ok(ResNet::cifar(9, classes))),
        NamedModel::new("resnet110", cifar, |classes, _| Ok(ResNet::cifar(18, classes))),
        NamedModel::new("wide-resnet28-10", cifar, |classes, _| Ok(wide_resnet28_10(classes))).also(&["wrn28-10"]),
        NamedModel::new("resnet18", cifar, |classes, image| Ok(ResNet::resnet18(classes, image))),
        NamedModel::new("resnet34", photos, |classes, image| Ok(ResNet::resnet34(classes, image))),
        NamedModel::new("resnet50", photos, |classes, image| Ok(ResNet::resnet50(classes, image))),
        NamedModel::new("alexnet", photos, |classes, image| Ok(alexnet(classes, image))),
        NamedModel::new("vgg11", photos, |classes, image| Ok(Vgg::vgg11(classes, image))).also(&["vgg11_bn"]),
        NamedModel::new("vgg16", photos, |classes, image| Ok(Vgg::vgg16(classes, image))).also(&["vgg16_bn"]),
        NamedModel::new("densenet121", photos, |classes, image| Ok(densenet121(classes, image))),
        NamedModel::new("mobilenet-v2", photos, |classes, image| Ok(mobilenet_v2(classes, image)))
            .also(&["mobilenet_v2", "mobilenetv2_100"]),
        NamedModel::new("mobilenet-v3-small", photos, |classes, image| Ok(mobilenet_v3_small(classes, image)))
            .also(&["mobilenet_v3_small", "mobilenetv3_small_100"]),
        NamedModel::new("mobilenet-v3-large", photos, |classes, image| Ok(mobilenet_v3_large(classes, image)))
            .also(&["mobilenet_v3_large", "mobilenetv3_large_100"]),
        NamedModel::new("squeezenet", photos, |classes, image| Ok(squeezenet(classes, image))).also(&["squeezenet1_1"]),
        NamedModel::new("shufflenet-v2", photos, |classes, image| Ok(shufflenet_v2(classes, image)))
            .also(&["shufflenet_v2_x1_0"]),
        NamedModel::new("efficientnet-b0", photos, |classes, image| Ok(efficientnet_b0(classes, image)))
            .also(&["efficientnet_b0"]),
        NamedModel::new("efficientnet-lite0", photos, |classes, image| Ok(efficientnet_lite0(classes, image)))
            .also(&["efficientnet_lite0"]),
        NamedModel::new("regnet-y-400mf", photos, |classes, image| Ok(regnet_y_400mf(classes, image)))
            .also(&["regnet_y_400mf", "regnety_004"]),
        NamedModel::new("convnext-tiny", photos, |classes, image| Ok(convnext_tiny(classes, image)))
            .also(&["convnext_tiny"]),
        NamedModel::new("vit-tiny", photos, |classes, image| Ok(vit_tiny(classes, image)))
            .also(&["vit_tiny_patch16_224"]),
        NamedModel::new("vit-small", photos, |classes, image| Ok(vit_small(classes, image)))
            .also(&["vit_small_patch16_224"]),
    ]
}

/// A classifier with the images and the number of classes it is for. Clones share the layers.
#[derive(Clone)]
pub struct Model {
    /// Name, for files and reports.
    pub name: String,
    /// Height, width and channels of an image.
    pub image: [usize; 3],
    /// Number of classes.
    pub classes: usize,
    /// The layers: `[N,H,W,C]` to `[N,classes]`.
    pub module: Arc<dyn Module>,
    /// The text that describes it, where it has no other name ([`NamedModel::described`]).
    pub text: Option<Arc<str>>,
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
        Ok(Model { name: name.to_string(), image, classes, module: Arc::new(module), text: None, declared })
    }

    /// The same layers, with the same parameters, for images of another height and width.
    ///
    /// # Errors
    /// If a layer does not fit them, or has other parameters for them.
    pub fn of_size(&self, size: [usize; 2]) -> Result<Model> {
        let image = [size[0], size[1], self.image[2]];
        let (declared, _) = Declared::of(&*self.module, &[1, image[0], image[1], image[2]])?;
        if declared.states != self.declared.states {
            let [h, w, _] = self.image;
            return Err(NnError::Option(format!(
                "{} has other parameters for images of {}x{} than for {h}x{w}, so that both cannot be trained as one",
                self.name, size[0], size[1]
            )));
        }
        let (name, classes, module) = (self.name.clone(), self.classes, Arc::clone(&self.module));
        Ok(Model { name, image, classes, module, text: self.text.clone(), declared })
    }

    /// What its layers declare for one image: parameters, statistics, shapes and work.
    pub fn declared(&self) -> &Declared {
        &self.declared
    }

    /// What whoever trains it should be told; see [`Module::remark`].
    pub fn remark(&self) -> Option<String> {
        self.module.remark()
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
