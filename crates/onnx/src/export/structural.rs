//! Nodes of ops that look at more than one element: movement, reductions, products, pools.

use chiaro_graph::{Op, Var};

use super::builder::{Item, Product, Wide, int, ints};
use super::value::{IMAGE, Val, plain};
use super::writer::{Writer, refused};
use crate::error::Result;

impl Writer<'_> {
    pub(super) fn reshape(&mut self, i: usize, x: Var) -> Result<Val> {
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
    pub(super) fn is_spread(&self, v: Var) -> bool {
        self.graphs[0].node(v).op == Op::Broadcast
    }

    pub(super) fn transpose(&mut self, x: Var, perm: &[usize]) -> Result<Val> {
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

    pub(super) fn slice(&mut self, i: usize, x: Var, start: &[usize], step: &[isize]) -> Result<Val> {
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

    pub(super) fn pad(&mut self, x: Var, low: &[usize], high: &[usize], value: f64) -> Result<Val> {
        let (name, order) = self.tensor(x)?;
        let amounts: Vec<i64> =
            order.iter().map(|&a| low[a] as i64).chain(order.iter().map(|&a| high[a] as i64)).collect();
        let (amounts, value) = (self.b.numbers(&amounts), self.b.floats("value", &Wide::number(value)));
        Ok(Val::Tensor { name: self.b.node("Pad", &[&name, &amounts, &value], vec![]), order })
    }

    pub(super) fn concat(&mut self, inputs: &[Var], axis: usize) -> Result<Val> {
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

    pub(super) fn reduce(&mut self, x: Var, op: &str, axes: &[usize]) -> Result<Val> {
        let (name, order) = self.tensor(x)?;
        let places: Vec<usize> = (0..order.len()).filter(|&i| axes.contains(&order[i])).collect();
        Ok(Val::Tensor { name: self.reduced(op, &name, &places), order })
    }

    /// A reduction over some axes of a tensor. Sums take them as an input from version 13 on, others from 18 on.
    fn reduced(&mut self, op: &str, x: &str, axes: &[usize]) -> String {
        let keeps = int("keepdims", 1);
        if op == "ReduceSum" || self.opset >= 18 {
            let axes: Vec<i64> = axes.iter().map(|&axis| axis as i64).collect();
            let axes = self.b.numbers(&axes);
            return self.b.node(op, &[x, &axes], vec![keeps]);
        }
        self.b.node(op, &[x], vec![ints("axes", axes), keeps])
    }

    /// Mean and variance of a matrix' rows, one above the other.
    pub(super) fn moments(&mut self, x: Var, columns: bool) -> Result<Val> {
        let x = self.whole(x, &[0, 1])?;
        let along = [usize::from(columns)];
        let mean = self.reduced("ReduceMean", &x, &along);
        let centred = self.b.node("Sub", &[&x, &mean], vec![]);
        let square = self.b.node("Mul", &[&centred, &centred], vec![]);
        let variance = self.reduced("ReduceMean", &square, &along);
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

    pub(super) fn matmul(&mut self, i: usize, [x, y]: [Var; 2], [ta, tb]: [bool; 2]) -> Result<Val> {
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

    pub(super) fn conv(&mut self, [x, w]: [Var; 2], spec: &chiaro_graph::ConvSpec) -> Result<Val> {
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

    pub(super) fn pool(
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

    pub(super) fn softmax(&mut self, x: Var, log: bool) -> Result<Val> {
        let (name, order) = self.tensor(x)?;
        let last = order.len() - 1;
        let place = order.iter().position(|&a| a == last).unwrap_or(last);
        let op = if log { "LogSoftmax" } else { "Softmax" };
        Ok(Val::Tensor { name: self.b.node(op, &[&name], vec![int("axis", place as i64)]), order })
    }

    pub(super) fn select(&mut self, x: Var, index: Var, axis: usize) -> Result<Val> {
        let Val::Known { wide, .. } = self.val(index) else { return refused("a selection by what is computed") };
        let (name, order) = self.tensor(x)?;
        let index: Vec<i64> = wide.values.iter().map(|&v| v as i64).collect();
        let index = self.b.numbers(&index);
        let place = order.iter().position(|&a| a == axis).unwrap_or(axis);
        Ok(Val::Tensor { name: self.b.node("Gather", &[&name, &index], vec![int("axis", place as i64)]), order })
    }
}
