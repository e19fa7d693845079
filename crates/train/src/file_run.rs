//! An exported file, run on a backend over pictures of 8-bit pixels.

use std::collections::BTreeMap;

use chiaro_data::Normalize;
use chiaro_graph::{Backend, PlanId, Tensor};
use chiaro_io::ModelInfo;
use chiaro_onnx::{Elem, Feed, OnnxModel, record_graph};

use crate::error::{Result, TrainError};

/// A compiled file, which takes so many pictures a step.
pub(crate) struct FileRun<'b> {
    backend: &'b mut dyn Backend,
    plan: PlanId,
    batch: usize,
    image: [usize; 3],
    /// How pixels become the input; absent where the file takes them as they are.
    normalize: Option<Normalize>,
    /// Names of the outputs.
    pub outputs: Vec<String>,
}

impl<'b> FileRun<'b> {
    /// Compiles a file that [`crate::Saved::to_onnx`] wrote for a model; `raw` as there.
    pub fn new(
        backend: &'b mut dyn Backend,
        bytes: &[u8],
        raw: bool,
        info: &ModelInfo,
        batch: usize,
    ) -> Result<FileRun<'b>> {
        let failed = |cause| TrainError::Onnx { path: "the file".into(), cause: Box::new(cause) };
        let model = OnnxModel::parse(bytes.to_vec().into(), None).map_err(failed)?;
        let [h, w, c] = info.image;
        let (shape, elem) = if raw { ([batch, c, h, w], Elem::F32) } else { ([batch, h, w, c], Elem::U8) };
        let feeds = BTreeMap::from([("image".to_string(), Feed::Input { shape: shape.to_vec(), elem })]);
        let (graph, _) = record_graph(&model, &feeds).map_err(failed)?;
        let plan = backend.compile(&graph)?;
        let outputs = graph.outputs().iter().map(|(name, _)| name.clone()).collect();
        let normalize = raw.then(|| Normalize::new(info.mean.clone(), info.std.clone())).transpose()?;
        Ok(FileRun { backend, plan, batch, image: info.image, normalize, outputs })
    }

    /// The outputs for a batch of pictures; where they are fewer, the rest of each output is of black ones.
    pub fn run(&mut self, pictures: &[Vec<u8>]) -> Result<Vec<Tensor>> {
        let [h, w, c] = self.image;
        let mut pixels = pictures.concat();
        pixels.resize(self.batch * h * w * c, 0);
        let input = match &self.normalize {
            None => {
                let whole = pixels.iter().map(|&p| i32::from(p)).collect();
                Tensor::i32([self.batch, h, w, c], whole)
            }
            Some(normalize) => {
                let mut values = vec![0.0; pixels.len()];
                normalize.apply(&pixels, &mut values);
                let (n, image) = (self.batch, h * w);
                let places =
                    (0..n).flat_map(|i| (0..c).flat_map(move |k| (0..image).map(move |p| (i * image + p) * c + k)));
                Tensor::f32([n, c, h, w], places.map(|at| values[at]).collect())
            }
        };
        let input = input.ok_or_else(|| TrainError::setting("pictures of other extents than the model's"))?;
        self.backend.run(self.plan, &[input])?;
        (0..self.outputs.len()).map(|i| Ok(self.backend.read(self.plan, i)?)).collect()
    }

    /// Releases what it holds on the device.
    pub fn end(self) -> Result<()> {
        Ok(self.backend.release_plan(self.plan)?)
    }
}
