//! From a graph to nodes: one value after the other, images kept as ONNX has them.

use std::collections::HashMap;

use chiaro_graph::{DType, Elementwise, Graph, Op, Var};

use super::builder::{Builder, Item, Wide, int, ints};
use super::maps;
use super::norms::Norm;
use super::value::{IMAGE, Val, plain};
use crate::error::{OnnxError, Result};

/// A graph that is being written.
pub(crate) struct Writer<'g> {
    pub b: Builder,
    /// The same model at two numbers of images, by which extents that depend on it are known.
    pub graphs: [&'g Graph; 2],
    pub batches: [usize; 2],
    values: HashMap<usize, Val>,
    users: Vec<usize>,
    /// Fold what scales and shifts channels into the products before it.
    pub fold: bool,
    /// Version of `ai.onnx`.
    pub opset: i64,
    /// Name of the input, whose first extent is the number of images.
    pub input: String,
    batch: Option<String>,
}

pub(crate) fn refused<T>(detail: impl Into<String>) -> Result<T> {
    Err(OnnxError::Classifier(detail.into()))
}

impl<'g> Writer<'g> {
    pub fn new(graphs: [&'g Graph; 2], batches: [usize; 2], input: &str) -> Result<Writer<'g>> {
        let kinds = |g: &Graph| -> Vec<String> { g.nodes().iter().map(|n| n.op.name()).collect() };
        if kinds(graphs[0]) != kinds(graphs[1]) {
            return refused("the model does other things for other numbers of images");
        }
        let users = vec![0; graphs[0].nodes().len()];
        let (b, values) = (Builder::default(), HashMap::new());
        Ok(Writer {
            b,
            graphs,
            batches,
            values,
            users,
            fold: true,
            opset: super::OPSET,
            input: input.into(),
            batch: None,
        })
    }

    /// Gives a value.
    pub fn give(&mut self, index: usize, val: Val) {
        self.values.insert(index, val);
    }

    /// Writes all that a value needs. Leaves are given by `leaf`.
    pub fn write(&mut self, result: Var, leaf: &dyn Fn(&Graph, &Op) -> Result<Wide>) -> Result<()> {
        let nodes = self.graphs[0].nodes();
        let mut needed = vec![false; nodes.len()];
        let mut norms = HashMap::new();
        needed[result.index()] = true;
        for i in (0..=result.index()).rev() {
            if !needed[i] || self.values.contains_key(&i) {
                continue;
            }
            if let Some(norm) = Norm::at(self.graphs[0], i).filter(|_| !self.fold) {
                for input in norm.needs() {
                    needed[input.index()] = true;
                    self.users[input.index()] += 1;
                }
                norms.insert(i, norm);
                continue;
            }
            // Of a rule of gradients the value alone is needed.
            let inputs =
                if matches!(nodes[i].op, Op::WithGradient(_)) { &nodes[i].inputs[..1] } else { &nodes[i].inputs };
            for input in inputs {
                needed[input.index()] = true;
                self.users[input.index()] += 1;
            }
        }
        self.users[result.index()] += 1;
        for (i, &is_needed) in needed.iter().enumerate().take(result.index() + 1) {
            if is_needed && !self.values.contains_key(&i) {
                let val = match norms.get(&i) {
                    Some(norm) => self.norm(norm)?,
                    None => self.node(i, leaf)?,
                };
                self.values.insert(i, val);
            }
        }
        Ok(())
    }

    pub fn val(&self, v: Var) -> Val {
        self.values[&v.index()].clone()
    }

    pub fn shape(&self, i: usize) -> &'g [usize] {
        &self.graphs[0].nodes()[i].shape
    }

    /// Extents for a Reshape: -1 where they depend on the number of images.
    pub(super) fn open_shape(&self, i: usize) -> Result<Vec<i64>> {
        let pair = self.shape(i).iter().zip(&self.graphs[1].nodes()[i].shape);
        let open: Vec<i64> = pair.map(|(&a, &b)| if a == b { a as i64 } else { -1 }).collect();
        if open.iter().filter(|&&n| n == -1).count() > 1 {
            return refused("two extents of one value depend on the number of images");
        }
        Ok(open)
    }

    fn node(&mut self, i: usize, leaf: &dyn Fn(&Graph, &Op) -> Result<Wide>) -> Result<Val> {
        let node = &self.graphs[0].nodes()[i];
        let known = |wide: Wide| Val::Known { wide, name: None };
        let x = || node.inputs[0];
        Ok(match &node.op {
            Op::State(id) => {
                let name = Some(self.graphs[0].states()[id.index()].name.clone());
                Val::Known { wide: leaf(self.graphs[0], &node.op)?, name }
            }
            Op::Scalar(number) => known(Wide::number(number.value)),
            Op::Constant(id) => {
                let tensor = &self.graphs[0].constants()[id.index()];
                known(Wide { shape: tensor.shape().to_vec(), values: tensor.to_f64() })
            }
            Op::Iota => {
                known(Wide { shape: node.shape.clone(), values: (0..node.shape[0]).map(|n| n as f64).collect() })
            }
            Op::WithGradient(_) => self.val(x()),
            Op::Cast(to) => self.cast(x(), *to)?,
            Op::Map(op) => self.map(i, *op, &node.inputs)?,
            Op::Broadcast => self.val(x()),
            Op::Reshape => self.reshape(i, x())?,
            Op::Transpose(perm) => self.transpose(x(), perm)?,
            Op::Slice { start, step } => self.slice(i, x(), start, step)?,
            Op::Pad { low, high, value } => self.pad(x(), low, high, value.value)?,
            Op::Concat(axis) => self.concat(&node.inputs, *axis)?,
            Op::Reduce(kind, axes) => self.reduce(x(), &format!("Reduce{kind:?}"), axes)?,
            Op::Moments(axis) => self.moments(x(), matches!(axis, chiaro_graph::MomentsAxis::Columns))?,
            Op::MatMul { ta, tb } => self.matmul(i, [node.inputs[0], node.inputs[1]], [*ta, *tb])?,
            Op::Conv2d(spec) => self.conv([node.inputs[0], node.inputs[1]], spec)?,
            Op::MaxPool2d(spec) => self.pool(x(), "MaxPool", spec, vec![])?,
            Op::AvgPool2d(spec, divisor) => {
                let with = match divisor {
                    chiaro_graph::AvgDivisor::IncludePadding => 1,
                    chiaro_graph::AvgDivisor::ExcludePadding => 0,
                    chiaro_graph::AvgDivisor::Fixed(_) => {
                        return refused("means by a fixed number have no form in ONNX");
                    }
                };
                self.pool(x(), "AveragePool", spec, vec![int("count_include_pad", with)])?
            }
            Op::Softmax { log } => self.softmax(x(), *log)?,
            Op::IndexSelect(axis) => self.select(node.inputs[0], node.inputs[1], *axis)?,
            other => {
                return refused(format!(
                    "{} in {:?} has no form in ONNX here",
                    other.name(),
                    self.graphs[0].path(node.inputs.first().copied().unwrap_or(x()))
                ));
            }
        })
    }

    /// A tensor's name, with its axes in this order.
    pub fn ordered(&mut self, v: Var, wanted: &[usize]) -> Result<String> {
        let rank = self.shape(v.index()).len();
        let (name, order) = match self.val(v) {
            Val::Known { wide, name } => {
                let wide = wide.with_rank(rank).permuted(wanted);
                return Ok(self.b.floats(name.as_deref().unwrap_or("value"), &wide));
            }
            Val::Tensor { name, order } => (name, order),
            Val::Rows { name } => {
                let c = self.shape(v.index())[1] as i64;
                let turned = self.b.node("Transpose", &[&name], vec![ints("perm", &[0, 2, 3, 1])]);
                let shape = self.b.numbers(&[-1, c]);
                (self.b.node("Reshape", &[&turned, &shape], vec![]), vec![0, 1])
            }
            Val::Pixels { name, image: [h, w, c] } => {
                let shape = self.b.numbers(&[-1, c as i64, h as i64, w as i64]);
                let image = self.b.node("Reshape", &[&name, &shape], vec![]);
                let turned = self.b.node("Transpose", &[&image], vec![ints("perm", &[0, 2, 3, 1])]);
                let shape = self.b.numbers(&[-1, (h * w * c) as i64]);
                (self.b.node("Reshape", &[&turned, &shape], vec![]), vec![0, 1])
            }
        };
        if order == wanted {
            return Ok(name);
        }
        let perm: Vec<usize> = wanted.iter().map(|a| order.iter().position(|o| o == a).unwrap_or(0)).collect();
        Ok(self.b.node("Transpose", &[&name], vec![ints("perm", &perm)]))
    }

    /// The same with all of the value's extents, where broadcasting alone would not do.
    pub fn whole(&mut self, v: Var, wanted: &[usize]) -> Result<String> {
        let name = self.ordered(v, wanted)?;
        let mut source = v;
        let mut spread = false;
        while let Op::Broadcast | Op::WithGradient(_) = self.graphs[0].node(source).op {
            spread |= self.graphs[0].node(source).op == Op::Broadcast;
            source = self.graphs[0].node(source).inputs[0];
        }
        if !spread {
            return Ok(name);
        }
        let (one, two) = (self.shape(v.index()), &self.graphs[1].nodes()[v.index()].shape);
        let mut parts = vec![];
        for &axis in wanted {
            parts.push(if one[axis] == two[axis] {
                self.b.numbers(&[one[axis] as i64])
            } else if one[axis] == self.batches[0] {
                self.batch()
            } else {
                return refused("an extent is a multiple of the number of images");
            });
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let shape = self.b.node("Concat", &parts, vec![int("axis", 0)]);
        Ok(self.b.node("Expand", &[&name, &shape], vec![]))
    }

    /// The number of images, as a vector of one.
    pub(super) fn batch(&mut self) -> String {
        if let Some(name) = &self.batch {
            return name.clone();
        }
        let input = self.input.clone();
        let shape = self.b.node("Shape", &[&input], vec![]);
        let (from, to) = (self.b.numbers(&[0]), self.b.numbers(&[1]));
        let first = self.b.node("Slice", &[&shape, &from, &to], vec![]);
        self.batch = Some(first.clone());
        first
    }

    pub(super) fn cast(&mut self, x: Var, to: DType) -> Result<Val> {
        let from = self.graphs[0].dtype(x);
        let val = self.val(x);
        if from == to || matches!(val, Val::Known { .. }) {
            return Ok(val);
        }
        let Val::Tensor { name, order } = val else { return refused("a cast of flattened pixels") };
        use crate::proto::tensor_proto::DataType;
        let kind = match to {
            DType::F32 => DataType::Float,
            DType::F16 => DataType::Float16,
            DType::I32 | DType::U32 => DataType::Int32,
            DType::Bool => DataType::Bool,
        };
        Ok(Val::Tensor { name: self.b.node("Cast", &[&name], vec![int("to", kind as i64)]), order })
    }

    fn map(&mut self, i: usize, op: Elementwise, inputs: &[Var]) -> Result<Val> {
        let vals: Vec<Val> = inputs.iter().map(|&v| self.val(v)).collect();
        let wides: Vec<Option<&Wide>> =
            vals.iter().map(|v| if let Val::Known { wide, .. } = v { Some(wide) } else { None }).collect();
        if let Some(all) = wides.iter().copied().collect::<Option<Vec<&Wide>>>() {
            return Ok(Val::Known { wide: computed(op, &all), name: None });
        }
        if let Some(val) = self.folded(op, inputs, &vals)? {
            return Ok(val);
        }
        let numbers: Vec<Option<f64>> = wides.iter().map(|w| w.and_then(Wide::single)).collect();
        // Rows stay an image where all that stands beside them are rows or channels.
        let rows = vals.iter().any(|v| matches!(v, Val::Rows { .. }))
            && vals.iter().all(|v| match v {
                Val::Rows { .. } => true,
                Val::Known { wide, .. } => wide.values.len() == *wide.shape.last().unwrap_or(&1),
                Val::Tensor { .. } | Val::Pixels { .. } => false,
            });
        let rank = self.shape(i).len();
        let order = vals.iter().find_map(|v| match v {
            Val::Tensor { order, .. } if !order.is_sorted() => Some(order.clone()),
            _ => None,
        });
        let order = order.unwrap_or_else(|| plain(rank));
        let mut names = vec![];
        for (k, (&v, val)) in inputs.iter().zip(&vals).enumerate() {
            names.push(match (val, rows) {
                (Val::Rows { name }, true) => name.clone(),
                (Val::Known { wide, .. }, _) if numbers[k].is_some() => {
                    let single = Wide::number(wide.values[0]);
                    self.b.floats("value", &single)
                }
                (Val::Known { wide, name }, true) => {
                    let channels = wide.reshaped(&[1, wide.values.len(), 1, 1]);
                    self.b.floats(name.as_deref().unwrap_or("value"), &channels)
                }
                _ => self.ordered(v, &order)?,
            });
        }
        let name = maps::node(&mut self.b, op, &names, &numbers)?;
        Ok(if rows { Val::Rows { name } } else { Val::Tensor { name, order } })
    }

    /// A scale or shift of channels, taken into the product before it.
    fn folded(&mut self, op: Elementwise, inputs: &[Var], vals: &[Val]) -> Result<Option<Val>> {
        use Elementwise::{Add, Mul, Sub};
        if !self.fold || !matches!(op, Add | Mul | Sub) || inputs.len() != 2 {
            return Ok(None);
        }
        let (at, wide) = match (&vals[0], &vals[1]) {
            (_, Val::Known { wide, .. }) => (0, wide),
            (Val::Known { wide, .. }, _) if op != Sub => (1, wide),
            _ => return Ok(None),
        };
        let name = match &vals[at] {
            Val::Rows { name } => name,
            Val::Tensor { name, order } if *order == IMAGE || order.len() == 2 => name,
            _ => return Ok(None),
        };
        // The product's own reshapes have it as their only user.
        let mut source = inputs[at];
        loop {
            if self.users[source.index()] != 1 {
                return Ok(None);
            }
            let node = self.graphs[0].node(source);
            if matches!(node.op, Op::Conv2d(_) | Op::MatMul { .. }) {
                break;
            }
            if !matches!(node.op, Op::Reshape | Op::Map(Add | Sub | Mul)) {
                return Ok(None);
            }
            let tensor = |v: &&Var| !matches!(self.values[&v.index()], Val::Known { .. });
            let Some(&next) = node.inputs.iter().find(tensor) else { return Ok(None) };
            source = next;
        }
        let product = self.b.items.iter_mut().rev().find_map(|item| match item {
            Item::Product(product) if product.node.output[0] == *name => Some(product),
            _ => None,
        });
        let Some(product) = product else { return Ok(None) };
        let out = product.weight.shape[0];
        let channels = wide.values.len() == 1 || (wide.values.len() == out && wide.shape.last() == Some(&out));
        if !channels {
            return Ok(None);
        }
        let number = |o: usize| wide.values[if wide.values.len() == 1 { 0 } else { o }];
        let bias = product.bias.get_or_insert_with(|| vec![0.0; out]);
        let row = product.weight.values.len() / out;
        for (o, (shift, weights)) in bias.iter_mut().zip(product.weight.values.chunks_exact_mut(row)).enumerate() {
            match op {
                Add => *shift += number(o),
                Sub => *shift -= number(o),
                _ => {
                    *shift *= number(o);
                    weights.iter_mut().for_each(|w| *w *= number(o));
                }
            }
        }
        Ok(Some(vals[at].clone()))
    }
}

/// An elementwise op of known values, broadcast.
fn computed(op: Elementwise, operands: &[&Wide]) -> Wide {
    let rank = operands.iter().map(|w| w.shape.len()).max().unwrap_or(0);
    let mut shape = vec![1; rank];
    for w in operands {
        let lead = rank - w.shape.len();
        w.shape.iter().enumerate().for_each(|(i, &n)| shape[lead + i] = shape[lead + i].max(n));
    }
    let spread: Vec<Wide> = operands.iter().map(|w| w.spread(&shape)).collect();
    let n: usize = shape.iter().product();
    let value = |i: usize| {
        let mut all = [0.0; 3];
        spread.iter().zip(&mut all).for_each(|(w, v)| *v = w.values[i]);
        op.eval_f64(all)
    };
    Wide { values: (0..n).map(value).collect(), shape }
}
