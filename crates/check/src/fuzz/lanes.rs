//! The reference node by node, beside lanes that are the same computation with the rounding of a device put into every node: how far
//! they move apart says how far a device may be away.
//!
//! Lanes come in pairs that round in opposite directions. Copies round nothing, so that equal values stay equal; where a small change
//! can become a large one (comparisons, rounding to 16 bits) operands are moved further, so that what could fall on either side does.

use super::noise::{self, EPSILON};
use super::rng::mix;
use chiaro_cpu::reference::compute_node;
use chiaro_graph::{DType, Elementwise, Graph, Node, Op, Tensor};
use half::f16;
use std::collections::BTreeMap;

/// How much further operands are moved where a small change can become a large one.
const AMPLIFIED: f64 = 16.0;

/// A value: the reference's, and one for each lane; none where no lane can differ.
#[derive(Clone, Debug, Default)]
pub(super) struct Value {
    pub base: Vec<f64>,
    pub lanes: Vec<Vec<f64>>,
}

impl Value {
    /// A value that every lane has.
    pub fn exact(base: Vec<f64>) -> Value {
        Value { base, lanes: vec![] }
    }

    fn lane(&self, lane: usize) -> &[f64] {
        self.lanes.get(lane).unwrap_or(&self.base)
    }

    /// The largest distance of a lane from the reference, element by element; infinite where a lane has no finite value.
    pub fn spread(&self, i: usize) -> f64 {
        let distance = |lane: &Vec<f64>| {
            let d = (lane[i] - self.base[i]).abs();
            if d.is_nan() { f64::INFINITY } else { d }
        };
        self.lanes.iter().map(distance).fold(0.0, f64::max)
    }
}

/// Evaluates the nodes of a graph one by one.
pub(super) struct Lanes {
    /// Pairs of lanes; 0 for the reference alone.
    pub pairs: usize,
    pub seed: u64,
    /// Arenas by name.
    pub arenas: BTreeMap<String, Value>,
}

impl Lanes {
    /// The value of a node, given those before it and the inputs of the run; none if the reference cannot tell.
    pub fn node(&self, g: &Graph, i: usize, before: &[Value], inputs: &[Tensor], run: usize) -> Option<Value> {
        let node = &g.nodes()[i];
        if let Op::Input(id) = &node.op {
            return Some(Value::exact(inputs[id.index()].to_f64()));
        }
        if let Op::Arena(id) = &node.op {
            return self.arenas.get(&g.arenas()[id.index()].name).cloned();
        }
        if let Op::State(id) = &node.op {
            let info = &g.states()[id.index()];
            let end = info.offset + info.shape.iter().product::<usize>();
            let arena = self.arenas.get(&g.arenas()[info.arena.index()].name)?;
            let part = |v: &Vec<f64>| v[info.offset..end].to_vec();
            return Some(Value { base: part(&arena.base), lanes: arena.lanes.iter().map(part).collect() });
        }
        self.computed(g, i, before, run)
    }

    fn computed(&self, g: &Graph, i: usize, before: &[Value], run: usize) -> Option<Value> {
        let node = &g.nodes()[i];
        let operands: Vec<&Value> = node.inputs.iter().map(|v| &before[v.index()]).collect();
        let bases: Vec<&[f64]> = operands.iter().map(|v| &v.base[..]).collect();
        let exact = compute_node(g, node, &bases)?;
        let base = stored(node, exact.clone());
        if self.pairs == 0 {
            return Some(Value::exact(base));
        }
        let scale = noise::scale(g, node, &bases, &exact);
        let same = operands.iter().all(|v| v.lanes.is_empty());
        if same && scale.is_none() {
            return Some(Value::exact(base));
        }
        let lanes = (0..2 * self.pairs).map(|lane| {
            let mut value = if same { exact.clone() } else { moved(g, node, &operands, lane)? };
            if let Some(scale) = &scale {
                self.round(&mut value, scale, node.dtype, [run, i, lane]);
            }
            Some(if narrows(g, node) { narrowed(value, &exact) } else { value })
        });
        Some(Value { base, lanes: lanes.collect::<Option<_>>()? })
    }

    /// Moves each element by some of its rounding, one way in even lanes and the other way in odd ones.
    fn round(&self, value: &mut [f64], scale: &[f64], dtype: DType, [run, node, lane]: [usize; 3]) {
        let key = mix(self.seed ^ mix((run as u64) << 48 | (node as u64) << 16 | (lane / 2) as u64));
        let sign = if lane.is_multiple_of(2) { 1.0 } else { -1.0 };
        for (i, (v, s)) in value.iter_mut().zip(scale).enumerate() {
            let bits = mix(key.wrapping_add(i as u64));
            // Between a half and a whole rounding, either way.
            let size = 0.5 + (bits >> 12) as f64 / (1u64 << 53) as f64;
            let way = if bits & 1 == 0 { sign } else { -sign };
            // A result of 16 bits is rounded to them, or is not where it is used at once.
            let step = if dtype == DType::F16 { (v.abs() / 2048.0).max(3e-8) } else { 0.0 };
            *v += way * size * (EPSILON * s + step);
        }
    }
}

/// A node of a lane's operands, before its own rounding.
fn moved(g: &Graph, node: &Node, operands: &[&Value], lane: usize) -> Option<Vec<f64>> {
    let amplified = noise::is_discontinuous(&node.op);
    let operand = |v: &&'_ Value| if amplified { further(v, lane) } else { v.lane(lane).to_vec() };
    let given: Vec<Vec<f64>> = operands.iter().map(operand).collect();
    let views: Vec<&[f64]> = given.iter().map(|v| &v[..]).collect();
    let mut value = compute_node(g, node, &views)?;
    if let Op::Map(op @ (Elementwise::Equal | Elementwise::NotEqual)) = node.op
        && lane % 2 == 1
    {
        let equal = f64::from(u8::from(op == Elementwise::Equal));
        let near = (0..value.len()).filter(|&i| may_meet(operands[0], operands[1], i));
        near.for_each(|i| value[i] = equal);
    }
    Some(value)
}

/// Whether two numbers that differ may be rounded to the same.
fn may_meet(x: &Value, y: &Value, i: usize) -> bool {
    let distance = (x.base[i] - y.base[i]).abs();
    distance > 0.0 && distance <= AMPLIFIED * (x.spread(i) + y.spread(i))
}

/// What is kept of a node's value in memory.
fn stored(node: &Node, mut value: Vec<f64>) -> Vec<f64> {
    if node.dtype == DType::F16 {
        value.iter_mut().for_each(|v| *v = f16::from_f64(*v).to_f64());
    }
    value
}

/// Whether the node is a cast to 16 bits, which always rounds.
fn narrows(g: &Graph, node: &Node) -> bool {
    matches!(node.op, Op::Cast(DType::F16)) && g.dtype(node.inputs[0]) != DType::F16
}

/// A lane of a cast to 16 bits: one that is not far from a boundary between two numbers may fall beyond it.
fn narrowed(mut value: Vec<f64>, exact: &[f64]) -> Vec<f64> {
    for (v, e) in value.iter_mut().zip(exact) {
        let half_step = (e.abs() / 2048.0).max(3e-8) * 0.5;
        let away = *v - e;
        // Amplifying what is as large as a step would let chains of casts run away.
        let most = half_step.max(away.abs());
        let moved = if away.is_nan() { away } else { (away * AMPLIFIED).clamp(-most, most) };
        *v = f16::from_f64(e + moved).to_f64();
    }
    value
}

/// A lane of an operand, moved further away from the reference.
fn further(v: &Value, lane: usize) -> Vec<f64> {
    let move_one = |(&at, &base): (&f64, &f64)| if at == base { at } else { base + AMPLIFIED * (at - base) };
    v.lane(lane).iter().zip(&v.base).map(move_one).collect()
}
