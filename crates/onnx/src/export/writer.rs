//! From a graph to nodes: one value after the other, images kept as ONNX has them.

use std::collections::HashMap;

use chiaro_graph::{DType, Elementwise, Graph, Op, Var};

use super::builder::{Builder, Item, Product, Wide, int, ints};
use super::maps;
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
        Ok(Writer { b, graphs, batches, values, users, fold: true, input: input.into(), batch: None })
    }

    /// Gives a value.
    pub fn give(&mut self, index: usize, val: Val) {
        self.values.insert(index, val);
    }

    /// Writes all that a value needs. Leaves are given by `leaf`.
    pub fn write(&mut self, result: Var, leaf: &dyn Fn(&Graph, &Op) -> Result<Wide>) -> Result<()> {
        let nodes = self.graphs[0].nodes();
        let mut needed = vec![false; nodes.len()];
        needed[result.index()] = true;
        for i in (0..=result.index()).rev() {
            if !needed[i] || self.values.contains_key(&i) {
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
                let val = self.node(i, leaf)?;
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
    fn open_shape(&self, i: usize) -> Result<Vec<i64>> {
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
    fn batch(&mut self) -> String {
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

    fn cast(&mut self, x: Var, to: DType) -> Result<Val> {
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
            match node.op {
                Op::Reshape => source = node.inputs[0],
                Op::Map(Add | Sub | Mul) => {
                    let tensor = |v: &&Var| !matches!(self.values[&v.index()], Val::Known { .. });
                    let Some(&next) = node.inputs.iter().find(tensor) else { return Ok(None) };
                    source = next;
                }
                Op::Conv2d(_) | Op::MatMul { .. } => break,
                _ => return Ok(None),
            }
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

    fn reshape(&mut self, i: usize, x: Var) -> Result<Val> {
        let (from, to) = (self.shape(x.index()), self.shape(i));
        match self.val(x) {
            Val::Known { wide, name } => {
                let whole = if wide.values.len() == from.iter().product::<usize>() { wide } else { wide.spread(from) };
                return Ok(Val::Known { wide: whole.reshaped(to), name });
            }
            Val::Tensor { name, order } if order == IMAGE && !self.is_spread(x) => {
                let (n, h, w, c) = (from[0], from[1], from[2], from[3]);
                if to == [n * h * w, c] && h * w > 1 {
                    return Ok(Val::Rows { name });
                }
                if to == [n, h * w * c] {
                    let flat = self.b.node("Flatten", &[&name], vec![int("axis", 1)]);
                    return Ok(match h * w {
                        1 => Val::Tensor { name: flat, order: vec![0, 1] },
                        _ => Val::Pixels { name: flat, image: [h, w, c] },
                    });
                }
            }
            Val::Rows { name } if to.len() == 4 && to[0] == self.batches[0] && to[3] == from[1] && from[0] != to[0] => {
                return Ok(Val::Tensor { name, order: IMAGE.to_vec() });
            }
            Val::Tensor { .. } | Val::Rows { .. } | Val::Pixels { .. } => {}
        }
        let name = self.whole(x, &plain(from.len()))?;
        let open = self.open_shape(i)?;
        let shape = self.b.numbers(&open);
        Ok(Val::Tensor { name: self.b.node("Reshape", &[&name, &shape], vec![]), order: plain(to.len()) })
    }

    /// Whether a value is held with fewer elements than it has.
    fn is_spread(&self, v: Var) -> bool {
        self.graphs[0].node(v).op == Op::Broadcast
    }

    fn transpose(&mut self, x: Var, perm: &[usize]) -> Result<Val> {
        if let Val::Known { wide, name } = self.val(x) {
            return Ok(Val::Known { wide: wide.with_rank(perm.len()).permuted(perm), name });
        }
        let (name, order) = match self.val(x) {
            Val::Tensor { name, order } => (name, order),
            _ => (self.ordered(x, &plain(perm.len()))?, plain(perm.len())),
        };
        let order = order.iter().map(|a| perm.iter().position(|p| p == a).unwrap_or(0)).collect();
        Ok(Val::Tensor { name, order })
    }

    /// A value as a tensor in some order of its axes, with all of its elements.
    fn tensor(&mut self, x: Var) -> Result<(String, Vec<usize>)> {
        let order = match self.val(x) {
            Val::Tensor { order, .. } => order,
            _ => plain(self.shape(x.index()).len()),
        };
        Ok((self.whole(x, &order)?, order))
    }

    fn slice(&mut self, i: usize, x: Var, start: &[usize], step: &[isize]) -> Result<Val> {
        let (from, to) = (self.shape(x.index()), self.shape(i));
        if let Val::Known { wide, .. } = self.val(x) {
            let wide = wide.spread(from);
            let own = crate::host::strides(from);
            let place = |p: &[usize]| {
                (0..p.len()).map(|a| (start[a] as isize + step[a] * p[a] as isize) as usize * own[a]).sum()
            };
            return Ok(Val::Known { wide: wide.picked(to, place), name: None });
        }
        let (name, order) = self.tensor(x)?;
        let cut: Vec<usize> = (0..from.len()).filter(|&a| from[a] != to[a] || step[a] != 1).collect();
        let place = |a: &usize| order.iter().position(|o| o == a).unwrap_or(0) as i64;
        let ends = cut.iter().map(|&a| {
            let end = start[a] as i64 + step[a] as i64 * to[a] as i64;
            if end < 0 { i64::MIN } else { end }
        });
        let ends: Vec<i64> = ends.collect();
        let starts: Vec<i64> = cut.iter().map(|&a| start[a] as i64).collect();
        let axes: Vec<i64> = cut.iter().map(place).collect();
        let steps: Vec<i64> = cut.iter().map(|&a| step[a] as i64).collect();
        let lists = [starts, ends, axes, steps].map(|l| self.b.numbers(&l));
        let inputs: Vec<&str> = [name.as_str()].into_iter().chain(lists.iter().map(String::as_str)).collect();
        Ok(Val::Tensor { name: self.b.node("Slice", &inputs, vec![]), order })
    }

    fn pad(&mut self, x: Var, low: &[usize], high: &[usize], value: f64) -> Result<Val> {
        let (name, order) = self.tensor(x)?;
        let amounts: Vec<i64> =
            order.iter().map(|&a| low[a] as i64).chain(order.iter().map(|&a| high[a] as i64)).collect();
        let (amounts, value) = (self.b.numbers(&amounts), self.b.floats("value", &Wide::number(value)));
        Ok(Val::Tensor { name: self.b.node("Pad", &[&name, &amounts, &value], vec![]), order })
    }

    fn concat(&mut self, inputs: &[Var], axis: usize) -> Result<Val> {
        let order = inputs.iter().find_map(|&v| match self.val(v) {
            Val::Tensor { order, .. } => Some(order),
            _ => None,
        });
        let order = order.unwrap_or_else(|| plain(self.shape(inputs[0].index()).len()));
        let names: Vec<String> = inputs.iter().map(|&v| self.whole(v, &order)).collect::<Result<_>>()?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let place = order.iter().position(|&a| a == axis).unwrap_or(axis);
        Ok(Val::Tensor { name: self.b.node("Concat", &names, vec![int("axis", place as i64)]), order })
    }

    fn reduce(&mut self, x: Var, op: &str, axes: &[usize]) -> Result<Val> {
        let (name, order) = self.tensor(x)?;
        let places: Vec<usize> = (0..order.len()).filter(|&i| axes.contains(&order[i])).collect();
        // Sums take their axes as an input from version 13 on, others from 18 on.
        let name = if op == "ReduceSum" {
            let places: Vec<i64> = places.iter().map(|&p| p as i64).collect();
            let places = self.b.numbers(&places);
            self.b.node(op, &[&name, &places], vec![int("keepdims", 1)])
        } else {
            self.b.node(op, &[&name], vec![ints("axes", &places), int("keepdims", 1)])
        };
        Ok(Val::Tensor { name, order })
    }

    /// Mean and variance of a matrix' rows, one above the other.
    fn moments(&mut self, x: Var, columns: bool) -> Result<Val> {
        let x = self.whole(x, &[0, 1])?;
        let along = ints("axes", &[usize::from(columns)]);
        let mean = self.b.node("ReduceMean", &[&x], vec![along.clone(), int("keepdims", 1)]);
        let centred = self.b.node("Sub", &[&x, &mean], vec![]);
        let square = self.b.node("Mul", &[&centred, &centred], vec![]);
        let variance = self.b.node("ReduceMean", &[&square], vec![along, int("keepdims", 1)]);
        let shape = self.b.numbers(&[1, -1]);
        let rows = [mean, variance].map(|v| self.b.node("Reshape", &[&v, &shape], vec![]));
        let both = self.b.node("Concat", &[&rows[0], &rows[1]], vec![int("axis", 0)]);
        Ok(Val::Tensor { name: both, order: vec![0, 1] })
    }

    /// Adds a product whose weight has the output channels first.
    fn product(
        &mut self,
        op: &str,
        x: &str,
        weight: Wide,
        name: Option<String>,
        attributes: Vec<crate::proto::AttributeProto>,
    ) -> String {
        let output = self.b.name(op);
        let node = self.b.made(op, &[x], attributes, &output);
        let name = name.unwrap_or_else(|| self.b.name("weight"));
        self.b.items.push(Item::Product(Product { node, name, weight, bias: None }));
        output
    }

    fn matmul(&mut self, i: usize, [x, y]: [Var; 2], [ta, tb]: [bool; 2]) -> Result<Val> {
        if let (Val::Known { wide, name }, 2, false) = (self.val(y), self.shape(i).len(), ta) {
            let wide = wide.spread(self.shape(y.index()));
            let weight = if tb { wide } else { wide.permuted(&[1, 0]) };
            let [o, k] = [weight.shape[0], weight.shape[1]];
            match self.val(x) {
                Val::Rows { name: x } => {
                    let weight = weight.reshaped(&[o, k, 1, 1]);
                    let kernel = vec![ints("kernel_shape", &[1, 1])];
                    return Ok(Val::Rows { name: self.product("Conv", &x, weight, name, kernel) });
                }
                Val::Pixels { name: x, image: [h, w, c] } => {
                    let weight = weight.reshaped(&[o, h, w, c]).permuted(&[0, 3, 1, 2]).reshaped(&[o, k]);
                    let y = self.product("Gemm", &x, weight, name, vec![int("transB", 1)]);
                    return Ok(Val::Tensor { name: y, order: vec![0, 1] });
                }
                Val::Tensor { .. } | Val::Known { .. } => {
                    let x = self.whole(x, &[0, 1])?;
                    let y = self.product("Gemm", &x, weight, name, vec![int("transB", 1)]);
                    return Ok(Val::Tensor { name: y, order: vec![0, 1] });
                }
            }
        }
        let turned = |rank: usize, t: bool| {
            let mut order = plain(rank);
            if t {
                order.swap(rank - 2, rank - 1);
            }
            order
        };
        let (rx, ry) = (self.shape(x.index()).len(), self.shape(y.index()).len());
        let (a, b) = (self.whole(x, &turned(rx, ta))?, self.whole(y, &turned(ry, tb))?);
        Ok(Val::Tensor { name: self.b.node("MatMul", &[&a, &b], vec![]), order: plain(self.shape(i).len()) })
    }

    fn conv(&mut self, [x, w]: [Var; 2], spec: &chiaro_graph::ConvSpec) -> Result<Val> {
        let Val::Known { wide, name } = self.val(w) else { return refused("a convolution whose weight is computed") };
        let shape = self.shape(w.index());
        let weight = wide.spread(shape).permuted(&[0, 3, 1, 2]);
        let x = self.whole(x, &IMAGE)?;
        let [top, bottom, left, right] = spec.padding;
        let attributes = vec![
            ints("kernel_shape", &shape[1..3]),
            ints("strides", &spec.stride),
            ints("pads", &[top, left, bottom, right]),
            ints("dilations", &spec.dilation),
            int("group", spec.groups as i64),
        ];
        let name = self.product("Conv", &x, weight, name, attributes);
        Ok(Val::Tensor { name, order: IMAGE.to_vec() })
    }

    fn pool(
        &mut self,
        x: Var,
        op: &str,
        spec: &chiaro_graph::PoolSpec,
        more: Vec<crate::proto::AttributeProto>,
    ) -> Result<Val> {
        let x = self.whole(x, &IMAGE)?;
        let [ph, pw] = spec.padding;
        let mut attributes = vec![
            ints("kernel_shape", &spec.kernel),
            ints("strides", &spec.stride),
            ints("pads", &[ph, pw, ph, pw]),
            int("ceil_mode", i64::from(spec.ceil_mode)),
        ];
        if op == "MaxPool" {
            attributes.push(ints("dilations", &spec.dilation));
        }
        attributes.extend(more);
        Ok(Val::Tensor { name: self.b.node(op, &[&x], attributes), order: IMAGE.to_vec() })
    }

    fn softmax(&mut self, x: Var, log: bool) -> Result<Val> {
        let (name, order) = self.tensor(x)?;
        let last = order.len() - 1;
        let place = order.iter().position(|&a| a == last).unwrap_or(last);
        let op = if log { "LogSoftmax" } else { "Softmax" };
        Ok(Val::Tensor { name: self.b.node(op, &[&name], vec![int("axis", place as i64)]), order })
    }

    fn select(&mut self, x: Var, index: Var, axis: usize) -> Result<Val> {
        let Val::Known { wide, .. } = self.val(index) else { return refused("a selection by what is computed") };
        let (name, order) = self.tensor(x)?;
        let index: Vec<i64> = wide.values.iter().map(|&v| v as i64).collect();
        let index = self.b.numbers(&index);
        let place = order.iter().position(|&a| a == axis).unwrap_or(axis);
        Ok(Val::Tensor { name: self.b.node("Gather", &[&name, &index], vec![int("axis", place as i64)]), order })
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
