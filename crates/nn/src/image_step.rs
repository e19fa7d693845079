//! The images of a step alone, as its network sees them.

use crate::augment::StepKey;
use crate::error::Result;
use crate::input::ImageInput;
use chiaro_graph::{CHANGES, Graph, Tensor};

/// Which of an image's changes is the number of the image that it is mixed with.
const MIXED_WITH: usize = 7;

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

    /// The inputs for `images` that are those at `places` of a step of so many, changed as that step changes them. Each is mixed with the one that
    /// lies opposite: whoever wants to see it so gives places as far from the end as from the beginning.
    pub fn inputs_of(&self, images: Tensor, key: &StepKey<'_>, places: &[usize], of: usize) -> Vec<Tensor> {
        let opposite = |place: usize| places.iter().position(|&other| other == of - 1 - place).unwrap_or(0) as i32;
        let some = |drawn: Tensor| {
            let Some(values) = drawn.as_i32().filter(|_| drawn.shape()[0] == of) else { return drawn };
            let width = values.len() / of;
            let mut picked: Vec<i32> =
                places.iter().flat_map(|&place| &values[place * width..(place + 1) * width]).copied().collect();
            if drawn.shape()[1..] == [CHANGES] {
                picked.chunks_exact_mut(width).zip(places).for_each(|(row, &place)| row[MIXED_WITH] = opposite(place));
            }
            let shape = [&[places.len()], &drawn.shape()[1..]].concat();
            Tensor::i32(shape, picked).unwrap_or(drawn)
        };
        [images].into_iter().chain(self.input.drawn(key, of, self.image).into_iter().map(some)).collect()
    }
}
