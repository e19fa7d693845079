//! The images of a step alone, as its network sees them.

use crate::augment::StepKey;
use crate::error::Result;
use crate::input::ImageInput;
use chiaro_graph::{Graph, Tensor};

/// A graph that gives a batch of images as a training step's network sees them: chosen, changed at random and normalised. Inputs: the images as
/// [`ImageInput`] says, then what their random changes ask for; output: `images` f32 `[N,H,W,C]`.
#[derive(Clone, Debug)]
pub struct ImageStep {
    /// The graph.
    pub graph: Graph,
    input: ImageInput,
    batch: usize,
    image: [usize; 3],
}

impl ImageStep {
    /// Records it for images `[H,W,C]`.
    ///
    /// # Errors
    /// If the input does not fit the images.
    pub fn build(input: &ImageInput, batch: usize, image: [usize; 3]) -> Result<ImageStep> {
        let mut graph = Graph::new();
        let given = input.declare(&mut graph, batch, image)?;
        let images = input.record(&mut graph, given, image)?;
        // A step of mixed images is told the shares, which here nobody asks for.
        let _ = input.record_shares(&mut graph)?;
        graph.output("images", images)?;
        Ok(ImageStep { graph, input: input.clone(), batch, image })
    }

    /// The inputs of a step: the images as [`ImageInput`] says, changed as a training step of this key changes them.
    pub fn inputs(&self, images: Tensor, key: &StepKey<'_>) -> Vec<Tensor> {
        [images].into_iter().chain(self.input.drawn(key, self.batch, self.image)).collect()
    }
}
