//! A trained model on a device with the way its pictures are prepared: what classifying, features and heat maps share.

use std::collections::VecDeque;
use std::iter::Enumerate;

use chiaro_data::pictures::{Decoding, Picture, decoded};
use chiaro_data::{DataError, Normalize, Resize, pack, packed_len};
use chiaro_graph::{Backend, Data, Graph, PlanId, Tensor};
use chiaro_nn::{Augment, ImageInput};

use crate::error::{Result, TrainError};
use crate::lease::Lease;
use crate::place::pixels;
use crate::saved::Saved;

/// Pictures decoded before the model takes them, in batches.
const AHEAD: usize = 2;

/// Pixels of a picture as the model takes them, 8 bits `[H, W, C]`.
pub(crate) type Pixels = Vec<u8>;

/// A compiled step of a trained model, whose first input are packed pixels.
pub(crate) struct Network {
    backend: Lease,
    plan: PlanId,
    batch: usize,
    shape: [usize; 3],
    resize: Resize,
}

impl Network {
    /// How a step takes the pictures of a saved model.
    pub fn input(saved: &Saved) -> Result<ImageInput> {
        let info = saved.info();
        let normalize = Normalize::new(info.mean.clone(), info.std.clone())?;
        Ok(pixels(&normalize, Augment::default(), None))
    }

    /// Compiles the graph, which takes [`Network::input`] in batches of so many, and loads the weights.
    pub fn new(backend: impl Backend + 'static, saved: &Saved, graph: &Graph, batch: usize) -> Result<Network> {
        let mut backend = Lease::new(backend);
        let plan = backend.compile(graph)?;
        backend.hold(plan, graph);
        saved.load_into(&mut *backend, graph)?;
        Ok(Network { backend, plan, batch, shape: saved.info().image, resize: saved.resize()? })
    }

    /// A picture as the model takes it.
    pub fn prepared(&self, picture: &Picture) -> Result<Pixels> {
        let mut pixels = vec![0; self.shape.iter().product()];
        picture.write(self.shape, self.resize, &mut pixels)?;
        Ok(pixels)
    }

    /// Runs the step on at most a batch of pictures, the rest of it filled up with the first, and reads its first outputs.
    pub fn run<const N: usize>(&mut self, pictures: &[Pixels], others: &[Tensor]) -> Result<[Tensor; N]> {
        let (words, wanted) = (packed_len(self.shape), self.shape.iter().product::<usize>());
        if pictures.is_empty() || pictures.len() > self.batch {
            return Err(TrainError::setting(format!("{} pictures for a batch of {}", pictures.len(), self.batch)));
        }
        let mut packed = vec![0; self.batch * words];
        for (row, pixels) in packed.chunks_exact_mut(words).zip(pictures.iter().chain(std::iter::repeat(&pictures[0])))
        {
            if pixels.len() != wanted {
                let (found, shape) = (pixels.len(), self.shape);
                return Err(TrainError::setting(format!(
                    "{found} bytes are no image of {shape:?}, which has {wanted}"
                )));
            }
            pack(pixels, row);
        }
        let images = Tensor::new([self.batch, words], Data::U32(packed));
        let images = images.ok_or_else(|| TrainError::setting(format!("an image of shape {:?}", self.shape)))?;
        let inputs: Vec<Tensor> = [images].into_iter().chain(others.iter().cloned()).collect();
        self.backend.run(self.plan, &inputs)?;
        let mut outputs = vec![];
        for output in 0..N {
            outputs.push(self.backend.read(self.plan, output)?);
        }
        outputs.try_into().map_err(|_| TrainError::setting("outputs of a step"))
    }
}

/// What a model says of pictures, in their order: the number of each with its answer, or why it cannot be opened. Pictures are decoded in
/// background threads meanwhile. An error is the device's, and the last.
pub struct Answers<'n, T> {
    decoding: Enumerate<Decoding>,
    batch: usize,
    ask: Box<Ask<'n, T>>,
    ready: VecDeque<Answer<T>>,
    failed: bool,
}

/// Gives as many answers as pictures.
type Ask<'n, T> = dyn FnMut(&[Pixels]) -> Result<Vec<T>> + 'n;

/// One answer.
pub type Answer<T> = (usize, std::result::Result<T, DataError>);

impl<'n, T> Answers<'n, T> {
    pub(crate) fn new(
        network: &'n mut Network,
        pictures: &[Picture],
        mut ask: impl FnMut(&mut Network, &[Pixels]) -> Result<Vec<T>> + 'n,
    ) -> Result<Answers<'n, T>> {
        let batch = network.batch;
        let decoding = decoded(pictures.to_vec(), network.shape, network.resize, AHEAD * batch)?.enumerate();
        let ask = move |pixels: &[Pixels]| ask(network, pixels);
        Ok(Answers { decoding, batch, ask: Box::new(ask), ready: VecDeque::new(), failed: false })
    }

    /// Asks about the next batch.
    fn more(&mut self) -> Result<()> {
        let (mut pixels, mut numbers, mut failed) = (vec![], vec![], vec![]);
        while pixels.len() < self.batch {
            match self.decoding.next() {
                Some((number, Ok(picture))) => {
                    pixels.push(picture);
                    numbers.push(number);
                }
                Some((number, Err(error))) => failed.push((number, error)),
                None => break,
            }
        }
        let answers = if pixels.is_empty() { vec![] } else { (self.ask)(&pixels)? };
        let mut all: Vec<Answer<T>> =
            numbers.into_iter().zip(answers).map(|(number, answer)| (number, Ok(answer))).collect();
        all.extend(failed.into_iter().map(|(number, error)| (number, Err(error))));
        all.sort_by_key(|(number, _)| *number);
        self.ready.extend(all);
        Ok(())
    }
}

impl<T> Iterator for Answers<'_, T> {
    type Item = Result<Answer<T>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.is_empty()
            && !self.failed
            && let Err(error) = self.more()
        {
            self.failed = true;
            return Some(Err(error));
        }
        self.ready.pop_front().map(Ok)
    }
}
