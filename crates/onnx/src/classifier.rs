//! An ONNX model as a classifier: one image in, logits out, weights that train.

use std::sync::{Arc, Mutex, PoisonError};

use chiaro_graph::{DType, GraphError, Tensor, Var};
use chiaro_nn::{Context, Declare, Init, Module, StateKind};

use crate::apart::{TWO, keeps_apart};
use crate::dry::{Dry, Layer, Role};
use crate::error::{OnnxError, Result};
use crate::host::{Elem, Values};
use crate::live::Live;
use crate::model::OnnxModel;
use crate::outputs::{ends_in_sigmoid, logits, several, unlike_classes};
use crate::pixels;
use crate::record::Recorder;
use crate::sink::Sink;
use crate::value::{Held, Order, Value};

/// How a file wants its images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Images {
    /// `[N,C,H,W]`, as most.
    ChannelsFirst,
    /// `[N,H,W,C]`.
    ChannelsLast,
}

/// Why a model that is asked picture by picture is not trained.
const TRAINED_ALONE: &str = "the file was made for one picture at a time and does not keep those of a batch apart, so that it cannot be trained: \
                             export it with an open batch";

/// The last trial recording with the shape of its images: weights are put in order once, whoever asks for what of them.
type Trial = Arc<Mutex<Option<(Vec<usize>, Arc<Dry>)>>>;

/// A model of images `[N,H,W,C]` to logits `[N,classes]`.
#[derive(Clone, Debug)]
pub struct OnnxClassifier {
    model: Arc<OnnxModel>,
    input: String,
    /// Before a softmax or a sigmoid, if there is one at the end.
    output: String,
    images: Images,
    /// Whether the file takes pixels of 8 bits.
    pub takes_pixels: bool,
    /// Whether each class is judged by itself, by a sigmoid: an image may show several.
    pub several: bool,
    /// Height, width and channels that the file declares; those that are open are 0.
    pub image: [usize; 3],
    /// Whether the file was made for a fixed number of pictures at a time.
    pub fixed_batch: bool,
    /// Whether it is asked about one picture at a time, however many are given.
    pub(crate) alone: bool,
    /// Whether it takes blue first.
    pub is_bgr: bool,
    trial: Trial,
}

impl OnnxClassifier {
    /// Looks for the one input of images and the output of logits.
    ///
    /// # Errors
    /// If the model has other inputs.
    pub fn new(model: OnnxModel) -> Result<OnnxClassifier> {
        let inputs = model.inputs();
        let &[input] = &inputs[..] else {
            return Err(OnnxError::Classifier(format!("the model has the inputs {inputs:?}, not one of images")));
        };
        let extents = model.declared(input)?;
        let &[batch, a, b, c] = &extents[..] else {
            let detail = format!("its input {input:?} has {} axes, images have 4: [N,C,H,W]", extents.len());
            return Err(OnnxError::Classifier(detail));
        };
        let channels = |n: Option<usize>| n.is_some_and(|n| n <= 4);
        let images = if channels(c) && !channels(a) { Images::ChannelsLast } else { Images::ChannelsFirst };
        let open = |n: Option<usize>| n.unwrap_or(0);
        let image = match images {
            Images::ChannelsFirst => [open(b), open(c), open(a)],
            Images::ChannelsLast => [open(a), open(b), open(c)],
        };
        let takes_pixels = model.elem(input)? == Elem::U8;
        let (output, several) = (logits(&model), ends_in_sigmoid(&model));
        let input = input.to_string();
        let is_bgr = model.is_bgr() && image[2] == 3;
        let (fixed_batch, alone) = (batch.is_some(), false);
        let (model, trial) = (Arc::new(model), Trial::default());
        Ok(OnnxClassifier {
            model,
            input,
            output,
            images,
            takes_pixels,
            several,
            image,
            fixed_batch,
            alone,
            is_bgr,
            trial,
        })
    }

    /// The model.
    pub fn model(&self) -> &OnnxModel {
        &self.model
    }

    /// The output that is taken, and those that tell something else; `None` where there are no others.
    pub fn several_outputs(&self) -> Option<(String, Vec<String>)> {
        several(&self.model)
    }

    /// Whether the model itself brings pixels from 0 to 255 to numbers that suit it.
    pub fn scales_pixels(&self) -> bool {
        pixels::are_scaled_inside(&self.model, &self.input)
    }

    /// Name of the value that holds the logits.
    pub(crate) fn output(&self) -> &str {
        &self.output
    }

    /// Records the model on images `[N,H,W,C]`.
    fn record(&self, sink: &mut dyn Sink, images: Var) -> Result<Var> {
        let shape = sink.graph().shape(images).to_vec();
        let batch = shape[0];
        let images = if self.is_bgr {
            let start = [0, 0, 0, shape[3] - 1];
            sink.graph().slice(images, &start, &shape, &[1, 1, 1, -1])?
        } else {
            images
        };
        let order = match self.images {
            Images::ChannelsFirst => vec![0, 2, 3, 1],
            Images::ChannelsLast => vec![0, 1, 2, 3],
        };
        let mut recorder = Recorder::new(&self.model, sink)?;
        let fixed = self.model.declared(&self.input)?[0];
        recorder.wide = true;
        recorder.batch = fixed.map(|made| (made, batch));
        recorder.give(&self.input, Value::Device(Held { var: images, order: Order::Axes(order) }));
        recorder.run_to(&self.output)?;
        let value = recorder.find(&self.output)?.clone();
        let logits = recorder.var(&value)?;
        let shape = recorder.graph().shape(logits).to_vec();
        let flat: usize = shape.iter().skip(1).product();
        if let Some(detail) = unlike_classes(&self.model, &self.output, &shape, batch) {
            return Err(OnnxError::Classifier(detail));
        }
        let logits = recorder.graph().reshape(logits, &[batch, flat])?;
        Ok(recorder.graph().cast(logits, DType::F32)?)
    }

    /// A trial recording for images `[1,H,W,C]`.
    pub(crate) fn dry(&self, shape: &[usize]) -> Result<Arc<Dry>> {
        let mut kept = self.trial.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, dry)) = kept.as_ref().filter(|(of, _)| of == shape) {
            return Ok(Arc::clone(dry));
        }
        let mut dry = Dry::default();
        let images = dry.graph.input("images", shape, DType::F32)?;
        let logits = self.record(&mut dry, images)?;
        dry.logits = dry.graph.shape(logits).to_vec();
        let dry = Arc::new(dry);
        *kept = Some((shape.to_vec(), Arc::clone(&dry)));
        Ok(dry)
    }

    /// Whether the model is seen to answer about each picture of a batch by that picture alone, whatever their number.
    pub fn keeps_apart(&self, [h, w, c]: [usize; 3]) -> bool {
        let mut dry = Dry::default();
        let Ok(images) = dry.graph.input("images", &[TWO, h, w, c], DType::F32) else { return false };
        self.record(&mut dry, images).is_ok_and(|logits| keeps_apart(&dry.graph, images, logits))
    }

    /// Records the model on each picture alone.
    fn one_by_one(&self, ctx: &mut Context<'_>, x: Var, batch: usize) -> Result<Var> {
        let mut rows = vec![];
        for i in 0..batch {
            let picture = ctx.graph().narrow(x, 0, i, i + 1)?;
            rows.push(self.record(&mut Live(ctx), picture)?);
        }
        Ok(ctx.graph().concat(&rows, 0)?)
    }

    /// Number of classes for images of height, width and channels.
    ///
    /// # Errors
    /// If the model does not fit them, or has fewer than two that it must tell apart.
    pub fn classes(&self, [h, w, c]: [usize; 3]) -> Result<usize> {
        match self.dry(&[1, h, w, c])?.logits[1] {
            1 if self.several => Ok(1),
            0 | 1 => Err(OnnxError::Classifier(format!("its output {:?} tells no classes apart", self.output))),
            classes => Ok(classes),
        }
    }

    /// The file's weights as the module takes them, by name; those that lie elsewhere are left out.
    ///
    /// # Errors
    /// If the model does not fit such images.
    pub fn weights(&self, [h, w, c]: [usize; 3]) -> Result<Vec<(String, Tensor)>> {
        let dry = self.dry(&[1, h, w, c])?;
        let with_values = dry.states.iter().filter(|s| s.values.values != Values::Hollow);
        with_values
            .map(|s| {
                let floats = Tensor::f32(s.values.shape.clone(), s.values.to_floats()?);
                Ok((s.name.clone(), floats.ok_or_else(|| OnnxError::Format("elements and extents differ".into()))?))
            })
            .collect()
    }
}

/// A node as a layer of a report.
struct Row<'l>(&'l Layer);

impl Module for Row<'_> {
    fn declare(&self, declare: &mut Declare, _x: &[usize]) -> chiaro_graph::Result<Vec<usize>> {
        self.0.products.iter().for_each(|p| declare.product(*p));
        Ok(self.0.output.clone())
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> chiaro_graph::Result<Var> {
        Err(ctx.shape_error(self.0.op, &[ctx.shape(x)], "is part of its model and cannot be recorded alone".into()))
    }

    fn kind(&self) -> &'static str {
        self.0.op
    }
}

/// The fault as the layers of this project tell theirs.
fn graph_error(fault: OnnxError) -> GraphError {
    match fault {
        OnnxError::Graph(cause) => cause,
        other => {
            GraphError::Shape { op: "ONNX".into(), shapes: vec![], detail: other.to_string(), path: String::new() }
        }
    }
}

impl Module for OnnxClassifier {
    fn declare(&self, declare: &mut Declare, x: &[usize]) -> chiaro_graph::Result<Vec<usize>> {
        let dry = self.dry(x).map_err(graph_error)?;
        for state in &dry.states {
            let shape = &state.values.shape;
            let init = match state.role {
                Role::Weight => Init::torch_weight(),
                Role::Bias => Init::ZEROS,
                Role::Scale => Init::ONES,
            };
            match state.kind {
                StateKind::Parameter => declare.parameter(&state.name, shape, init)?,
                StateKind::Statistic => declare.statistic(&state.name, shape, init)?,
            }
        }
        for layer in &dry.layers {
            declare.call(&layer.name, &Row(layer), x)?;
        }
        Ok(dry.logits.clone())
    }

    fn forward(&self, ctx: &mut Context<'_>, x: Var) -> chiaro_graph::Result<Var> {
        let batch = ctx.shape(x)[0];
        // A file with an open batch is trained by batches, as it was made: norms have no statistics of one picture.
        if !self.alone || batch == 1 || (ctx.training() && !self.fixed_batch) {
            return self.record(&mut Live(ctx), x).map_err(graph_error);
        }
        if ctx.training() {
            return Err(ctx.shape_error("ONNX", &[], TRAINED_ALONE.into()));
        }
        self.one_by_one(ctx, x, batch).map_err(graph_error)
    }

    fn kind(&self) -> &'static str {
        "ONNX"
    }
}
