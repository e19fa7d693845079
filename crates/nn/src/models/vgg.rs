//! VGG networks with batch norm (arXiv:1409.1556, as torchvision has them).

use crate::context::{Context, Module};
use crate::declare::Declare;
use crate::init::{Fan, Init};
use crate::layers::{
    Activation, AdaptiveAvgPool2d, BatchNorm2d, Conv2d, Dropout, Flatten, Linear, MaxPool2d, Sequential,
};
use chiaro_graph::{Result, Var};

/// Stages of 3x3 convolutions with batch norm and ReLU, each ended by a 2x2 max pool; then the mean over 7x7 regions, and two
/// dense layers with dropout and one of the classes. Parameters are named as in torchvision: `features.0`, `classifier.6`.
#[derive(Clone, Debug)]
pub struct Vgg {
    /// Channels of each convolution of each stage.
    pub stages: Vec<Vec<usize>>,
    /// Features of the dense layers before the last.
    pub hidden: usize,
    /// Pool after the first stage, as all others are.
    pub pool_after_first: bool,
    /// Number of classes.
    pub classes: usize,
}

impl Vgg {
    /// 11 layers with weights: 132,868,840 parameters for 1000 classes.
    pub fn vgg11(classes: usize, image: [usize; 3]) -> Vgg {
        Vgg::of([1, 1, 2, 2, 2], classes, image)
    }

    /// 16 layers with weights: 138,365,992 parameters for 1000 classes.
    pub fn vgg16(classes: usize, image: [usize; 3]) -> Vgg {
        Vgg::of([2, 2, 3, 3, 3], classes, image)
    }

    /// So many convolutions in each stage. Five halvings would leave nothing of images below 32 pixels: the first is left out there.
    fn of(convolutions: [usize; 5], classes: usize, image: [usize; 3]) -> Vgg {
        let stages = [64, 128, 256, 512, 512].into_iter().zip(convolutions).map(|(channels, n)| vec![channels; n]);
        Vgg { stages: stages.collect(), hidden: 4096, pool_after_first: image[0].min(image[1]) >= 32, classes }
    }

    fn layers(&self) -> Sequential {
        let mut features = Sequential::new();
        for (i, stage) in self.stages.iter().enumerate() {
            for &channels in stage {
                let init = Init::KaimingNormal { gain: std::f64::consts::SQRT_2, fan: Fan::Out };
                let conv = Conv2d { bias_init: Some(Init::ZEROS), ..Conv2d::new(channels, 3) };
                let conv = conv.padding(1).weight_init(init);
                features = features.push(conv).push(BatchNorm2d::new()).push(Activation::Relu);
            }
            // One by one pixels are each its own largest, and the numbers of the layers behind stay.
            let pools = i > 0 || self.pool_after_first;
            features = features.push(MaxPool2d::new(if pools { 2 } else { 1 }));
        }
        let dense =
            |out| Linear { weight_init: Init::Normal { std: 0.01 }, bias_init: Some(Init::ZEROS), ..Linear::new(out) };
        let drop = Dropout { p: 0.5 };
        let classifier = Sequential::new().push(dense(self.hidden)).push(Activation::Relu).push(drop);
        let classifier =
            classifier.push(dense(self.hidden)).push(Activation::Relu).push(drop).push(dense(self.classes));
        Sequential::new()
            .named("features", features)
            .named("avgpool", AdaptiveAvgPool2d([7, 7]))
            .named("flatten", Flatten)
            .named("classifier", classifier)
    }
}

impl Module for Vgg {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> Result<Vec<usize>> {
        self.layers().declare(declare, x)
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> Result<Var> {
        self.layers().forward(ctx, x)
    }

    fn kind(&self) -> &'static str {
        "Vgg"
    }

    fn remark(&self) -> Option<String> {
        (!self.pool_after_first).then(|| "for images below 32 pixels, nothing is pooled after the first stage".into())
    }
}
