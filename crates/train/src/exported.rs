//! Trained models as ONNX files, and the check that a file gives what the run gives.

use std::collections::BTreeMap;

use chiaro_data::Normalize;
use chiaro_graph::{Backend, Tensor, evaluate};
use chiaro_nn::EvalStep;
use chiaro_onnx::{Elem, ExportOptions, Feed, OnnxModel, export, record_graph};

use crate::error::{Result, TrainError};
use crate::saved::Saved;
use crate::settings::TaskName;

/// The largest difference between logits of the run and of a file, and how large logits are.
#[derive(Clone, Copy, Debug)]
pub struct Compared {
    /// Of any two logits.
    pub difference: f64,
    /// The largest logit, at least 1.
    pub scale: f64,
}

impl Saved {
    /// The model as the bytes of an ONNX file; normalisation and metadata are those of the run.
    ///
    /// # Errors
    /// If the model has ops that ONNX has not, or its task is another than classification.
    pub fn to_onnx(&self, options: &ExportOptions) -> Result<Vec<u8>> {
        let info = self.info();
        if !["", TaskName::default().as_str()].contains(&info.task.as_str()) {
            return Err(TrainError::Setting(format!(
                "models of the task {} are not exported: the file's probabilities are those of one class an image",
                info.task
            )));
        }
        let mut metadata = options.metadata.clone();
        let names: Vec<String> = info.classes.iter().enumerate().map(|(i, n)| format!("{i}: {}", quoted(n))).collect();
        let list = |v: &[f32]| format!("[{}]", v.iter().map(f32::to_string).collect::<Vec<_>>().join(", "));
        let [h, w, c] = info.image;
        let own = [
            ("names", format!("{{{}}}", names.join(", "))),
            ("mean", list(&info.mean)),
            ("std", list(&info.std)),
            ("imgsz", format!("[{h}, {w}]")),
            ("resize", info.resize.clone()),
            ("color", if c == 1 { "grey" } else { "rgb" }.to_string()),
            ("model", info.model.clone()),
            ("chiaro_version", env!("CARGO_PKG_VERSION").to_string()),
        ];
        metadata.extend(own.map(|(key, value)| (key.to_string(), value)));
        if let Some(accuracy) = self.weights().extra.get("accuracy") {
            metadata.insert("accuracy".into(), accuracy.clone());
        }
        let options =
            ExportOptions { normalisation: (info.mean.clone(), info.std.clone()), metadata, ..options.clone() };
        export(&self.model()?, self.weights().tensors(), &options).map_err(|cause| self.fault(cause))
    }

    fn fault(&self, cause: chiaro_onnx::OnnxError) -> TrainError {
        TrainError::Onnx { path: self.path.clone(), cause: Box::new(cause) }
    }

    /// Runs a file of this model on one backend and the model itself on another, over pictures of 8-bit pixels.
    ///
    /// # Errors
    /// If the file cannot be read, there are no pictures, or a device fails.
    pub fn compare_onnx(
        &self,
        bytes: &[u8],
        raw: bool,
        pictures: &[Vec<u8>],
        [own, others]: [&mut dyn Backend; 2],
    ) -> Result<Compared> {
        let info = self.info();
        let ([h, w, c], n) = (info.image, pictures.len());
        let normalize = Normalize::new(info.mean.clone(), info.std.clone())?;
        let pixels = pictures.concat();
        let mut values = vec![0.0; pixels.len()];
        normalize.apply(&pixels, &mut values);
        let missing = || TrainError::setting("there is no picture to compare with");
        let images = Tensor::f32([n, h, w, c], values.clone()).filter(|_| n > 0).ok_or_else(missing)?;
        let wanted = self.logits(own, images)?;
        let model = OnnxModel::parse(bytes.to_vec().into(), None).map_err(|e| self.fault(e))?;
        let (shape, elem, input) = if raw {
            let first: Vec<f32> = channels_first(&values, [n, h, w, c]);
            (vec![n, c, h, w], Elem::F32, Tensor::f32([n, c, h, w], first))
        } else {
            (vec![n, h, w, c], Elem::U8, Tensor::i32([n, h, w, c], pixels.iter().map(|&p| i32::from(p)).collect()))
        };
        let feeds = BTreeMap::from([("image".to_string(), Feed::Input { shape, elem })]);
        let (graph, _) = record_graph(&model, &feeds).map_err(|e| self.fault(e))?;
        let found = evaluate(others, &graph, &[input.ok_or_else(missing)?])?;
        let found = found.first().map(Tensor::to_f64).unwrap_or_default();
        let differences = wanted.iter().zip(&found).map(|(a, b)| (a - b).abs());
        // NaN is a difference too.
        let difference = differences.fold(0.0, |m, d| if d > m || d.is_nan() { d } else { m });
        let scale = wanted.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
        if wanted.len() != found.len() {
            return Ok(Compared { difference: f64::INFINITY, scale });
        }
        Ok(Compared { difference, scale })
    }

    /// Logits of normalised images.
    fn logits(&self, backend: &mut dyn Backend, images: Tensor) -> Result<Vec<f64>> {
        let (model, task) = (self.model()?, self.task()?);
        let n = images.shape()[0];
        let step = EvalStep::with_input(&model, n, &chiaro_nn::ImageInput::Normalized, &*task)?;
        let spec = task.target(model.classes);
        let width: usize = spec.shape.iter().product();
        let nothing = Tensor::from_f64([&[n], &spec.shape[..]].concat(), spec.dtype, &vec![spec.filler; n * width]);
        let nothing = nothing.ok_or_else(|| TrainError::setting("a target without a shape"))?;
        let plan = backend.compile(&step.graph)?;
        self.load_into(backend, &step.graph)?;
        backend.run(plan, &[images, nothing])?;
        let logits = backend.read(plan, 0)?.to_f64();
        backend.release_plan(plan)?;
        Ok(logits)
    }
}

fn channels_first(values: &[f32], [n, h, w, c]: [usize; 4]) -> Vec<f32> {
    let mut first = Vec::with_capacity(values.len());
    for i in 0..n {
        for k in 0..c {
            first.extend((0..h * w).map(|p| values[(i * h * w + p) * c + k]));
        }
    }
    first
}

/// A name as Python writes it.
fn quoted(name: &str) -> String {
    format!("'{}'", name.replace('\\', "\\\\").replace('\'', "\\'"))
}
