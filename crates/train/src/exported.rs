//! Trained models as ONNX files, and the check that a file gives what the run gives.

use chiaro_data::Normalize;
use chiaro_graph::{Backend, Tensor};
use chiaro_nn::EvalStep;
use chiaro_onnx::{ExportOptions, export};

use crate::calibration;
use crate::error::{Result, TrainError};
use crate::file_run::FileRun;
use crate::imported::task_name;
use crate::saved::Saved;
use crate::settings::TaskName;
use crate::task::MULTI_LABEL;

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
    /// If the model has ops that ONNX has not, or its task is neither a classification nor of several labels an image.
    pub fn to_onnx(&self, options: &ExportOptions) -> Result<Vec<u8>> {
        let info = self.info();
        let several = info.task == MULTI_LABEL;
        if !several && !["", TaskName::default().as_str()].contains(&info.task.as_str()) {
            return Err(TrainError::Setting(format!(
                "models of the task {} are not exported: what its outputs mean has no form in the file",
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
            ("color", colours(c).to_string()),
            ("model", info.model.clone()),
            ("task", task_name(several)),
            ("chiaro_version", env!("CARGO_PKG_VERSION").to_string()),
        ];
        metadata.extend(own.map(|(key, value)| (key.to_string(), value)));
        for key in ["accuracy"].iter().chain(&calibration::KEYS) {
            metadata.extend(self.weights().extra.get(*key).map(|value| (key.to_string(), value.clone())));
        }
        let options = ExportOptions {
            normalisation: (info.mean.clone(), info.std.clone()),
            metadata,
            several,
            ..options.clone()
        };
        export(&self.model()?, self.weights().tensors(), &options).map_err(|cause| self.fault(cause))
    }

    pub(crate) fn fault(&self, cause: chiaro_onnx::OnnxError) -> TrainError {
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
        let images = Tensor::f32([n, h, w, c], values).filter(|_| n > 0).ok_or_else(missing)?;
        let wanted = self.logits(own, images)?;
        let mut run = FileRun::new(others, bytes, raw, info, n)?;
        let found = run.run(pictures)?.first().map(Tensor::to_f64).unwrap_or_default();
        run.end()?;
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

/// A name as Python writes it.
fn quoted(name: &str) -> String {
    format!("'{}'", name.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// The order of channels, as others tell it.
fn colours(channels: usize) -> &'static str {
    match channels {
        1 => "grey",
        4 => "rgba",
        _ => "rgb",
    }
}
