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
    /// Number of classes.
    pub classes: usize,
}

impl Vgg {
    /// 11 layers with weights: 132,868,840 parameters for 1000 classes.
    pub fn vgg11(classes: usize) -> Vgg {
        Vgg { stages: vec![vec![64], vec![128], vec![256, 256], vec![512, 512], vec![512, 512]], hidden: 4096, classes }
    }

    fn layers(&self) -> Sequential {
        let mut features = Sequential::new();
        for stage in &self.stages {
            for &channels in stage {
                let init = Init::KaimingNormal { gain: std::f64::consts::SQRT_2, fan: Fan::Out };
                let conv = Conv2d { bias_init: Some(Init::ZEROS), ..Conv2d::new(channels, 3) };
                let conv = conv.padding(1).weight_init(init);
                features = features.push(conv).push(BatchNorm2d::new()).push(Activation::Relu);
            }
            features = features.push(MaxPool2d::new(2));
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
}
