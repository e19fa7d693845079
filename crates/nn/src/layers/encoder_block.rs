//! The block of Transformers.

use crate::layers::{Activation, Attention, DropPath, Dropout, LayerNorm, Linear, Sequential, Sum};

/// Norm and attention, then norm and two dense layers with GELU between them, each added to its input (arXiv:1706.03762, the norms
/// in front as arXiv:2002.04745): tokens `[N,T,D]` keep their shape. Named as timm does: `norm1`, `attn.qkv`, `attn.proj`, `norm2`, `mlp.fc1`, `mlp.fc2`.
#[derive(Clone, Debug)]
pub struct EncoderBlock {
    /// D.
    pub features: usize,
    /// Parts of the features that attend by themselves.
    pub heads: usize,
    /// Features between the two dense layers.
    pub hidden: usize,
    /// How the dense layers start; their number of features is set here.
    pub dense: Linear,
    /// Added to the variance in the norms.
    pub eps: f64,
    /// Probability of the dropout behind each dense layer.
    pub dropout: f64,
    /// Leaves out what a half adds.
    pub drop_path: DropPath,
}

impl EncoderBlock {
    /// A block of so many features and heads, four times the features between its dense layers, without dropout.
    pub fn new(features: usize, heads: usize) -> EncoderBlock {
        let drop_path = DropPath { p: 0.0, depth: 1.0 };
        EncoderBlock {
            features,
            heads,
            hidden: 4 * features,
            dense: Linear::new(0),
            eps: 1e-5,
            dropout: 0.0,
            drop_path,
        }
    }

    /// Its layers.
    pub fn layers(&self) -> Sequential {
        let dense = |out_features| Linear { out_features, ..self.dense.clone() };
        let (norm, drop) = (LayerNorm { eps: self.eps }, Dropout { p: self.dropout });
        let attention = Attention { heads: self.heads, dense: dense(0) };
        let mlp = Sequential::new()
            .named("fc1", dense(self.hidden))
            .then(Activation::Gelu)
            .then(drop)
            .named("fc2", dense(self.features))
            .then(drop);
        let first = Sequential::new().named("norm1", norm).named("attn", attention).then(drop).then(self.drop_path);
        let second = Sequential::new().named("norm2", norm).named("mlp", mlp).then(self.drop_path);
        Sequential::new().then(Sum(vec![first, Sequential::new()])).then(Sum(vec![second, Sequential::new()]))
    }
}
