//! A workload: a graph, what it is called, and the values it runs on.

use chiaro_graph::{DType, Graph, Tensor};
use chiaro_nn::TrainStep;

/// What a workload is of: rows of one group are about equally far from the roofline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// Products of matrices.
    MatMul,
    /// Convolutions in all directions.
    Convolution,
    /// Pointwise code, pooling, indexing, and the optimizer.
    Memory,
    /// Sums, statistics, softmax and losses.
    Reduction,
    /// A whole training step.
    Step,
}

/// Something to measure.
pub struct Workload {
    /// Its name, of which `--filter` takes a part.
    pub name: String,
    /// What it is of.
    pub group: Group,
    /// In what its tensors are stored.
    pub dtype: DType,
    /// Images that one run trains on, where it is a training step.
    pub images: Option<usize>,
    pub(crate) graph: Graph,
    pub(crate) values: WorkloadValues,
}

/// Where a workload's values come from. They are made when they are wanted: all of them together would fill the memory.
pub(crate) enum WorkloadValues {
    /// Arenas alone.
    Resident(Vec<Arena>),
    /// A training step and its images.
    Step(Box<TrainStep>, [usize; 4]),
}

/// An arena of a kernel's operand.
pub(crate) struct Arena {
    pub name: String,
    pub len: usize,
    pub dtype: DType,
    /// Indices below this, or floats where it is absent.
    pub below: Option<usize>,
}

impl Workload {
    /// The graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The inputs of a run.
    pub fn inputs(&self) -> Vec<Tensor> {
        let WorkloadValues::Step(step, shape) = &self.values else { return vec![] };
        let images = floats(shape, DType::F32, 0);
        step.inputs(images, indices(shape[0], DType::I32, CLASSES), 1, 0, 1e-3)
    }

    /// Every arena that does not start with zeros, by name.
    pub fn arenas(&self) -> Vec<(String, Tensor)> {
        match &self.values {
            WorkloadValues::Step(step, _) => step.initial_arenas(1),
            WorkloadValues::Resident(arenas) => {
                arenas.iter().enumerate().map(|(i, a)| (a.name.clone(), a.values(i))).collect()
            }
        }
    }
}

impl Arena {
    fn values(&self, number: usize) -> Tensor {
        match self.below {
            Some(below) => indices(self.len, self.dtype, below),
            None => floats(&[self.len], self.dtype, number),
        }
    }
}

/// Classes of the models that are trained.
pub(crate) const CLASSES: usize = 10;

/// Numbers in (-1, 1) that are no denormals, differ from each other, and from those of another tensor.
fn floats(shape: &[usize], dtype: DType, number: usize) -> Tensor {
    let len = shape.iter().product();
    let value = |i: usize| ((i * 7919 + number * 104_729) % 1013) as f32 / 506.5 - 1.0;
    let made = match dtype {
        DType::F32 => Tensor::f32(shape, (0..len).map(value).collect()),
        _ => Tensor::from_f64(shape, dtype, &(0..len).map(|i| f64::from(value(i))).collect::<Vec<_>>()),
    };
    made.unwrap_or_else(|| Tensor::zeros(shape, dtype))
}

fn indices(len: usize, dtype: DType, below: usize) -> Tensor {
    let values: Vec<f64> = (0..len).map(|i| (i * 31 % below) as f64).collect();
    Tensor::from_f64([len], dtype, &values).unwrap_or_else(|| Tensor::zeros([len], dtype))
}
