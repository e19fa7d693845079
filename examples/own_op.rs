//! An op of one's own: squared distances between rows, `y[n,k] = sum over d of (x[n,d] - c[k,d])^2`, with its shape rule, its gradient,
//! its code for CPUs and for GPUs. It is verified as the library's own ops are, then a classifier is trained whose logits are the negated
//! distances to one prototype a class.
//!
//! `cargo run --release --example own_op -- [device]`

use std::error::Error;

use chiaro::cpu::reference::Reference;
use chiaro::graph::{CrossEntropyOptions, CustomOp, Elements, ElementsMut, Initial, Shared, Target, TensorType};
use chiaro::{DType, Device, DeviceOptions, Graph, Tensor, Var};
use chiaro_check::verify::{VerifyOptions, VerifyReport, verify};
use chiaro_check::{Case, Draw};

/// Squared distances of x `[N,D]` to c `[K,D]`.
#[derive(Debug)]
struct SquaredDistances;

impl CustomOp for SquaredDistances {
    fn name(&self) -> &'static str {
        "squared_distances"
    }

    fn operands(&self) -> Vec<&'static str> {
        vec!["x", "c"]
    }

    // ANCHOR: shape
    fn infer(&self, operands: &[TensorType]) -> Result<TensorType, String> {
        match (&operands[0], &operands[1]) {
            (TensorType { shape: x, dtype: DType::F32 }, TensorType { shape: c, dtype: DType::F32 })
                if x.len() == 2 && c.len() == 2 && x[1] == c[1] =>
            {
                Ok(TensorType { shape: vec![x[0], c[0]], dtype: DType::F32 })
            }
            _ => Err("takes f32 x [N,D] and c [K,D]".into()),
        }
    }
    // ANCHOR_END: shape

    // ANCHOR: gradient
    /// With d the cotangent: dx = 2 (x * rows of d summed - d c), dc = 2 (c * columns of d summed - d' x).
    fn gradient(
        &self,
        g: &mut Graph,
        operands: &[Var],
        _result: Var,
        d: Var,
        needed: &dyn Fn(Var) -> bool,
    ) -> chiaro::graph::Result<Vec<Option<Var>>> {
        let mut toward = |from: Var, to: Var, axis: usize| {
            if !needed(from) {
                return Ok(None);
            }
            let count = g.shape(from)[0];
            let sums = g.sum(d, &[axis], false)?;
            let sums = g.reshape(sums, &[count, 1])?;
            let (own, others) = (g.mul(from, sums)?, g.matmul(d, to, axis == 0, false)?);
            let half = g.sub(own, others)?;
            g.add(half, half).map(Some)
        };
        let (x, c) = (operands[0], operands[1]);
        Ok(vec![toward(x, c, 1)?, toward(c, x, 0)?])
    }
    // ANCHOR_END: gradient

    // ANCHOR: reference
    fn reference(&self, operands: &[(&TensorType, &[f64])], result: &TensorType) -> Vec<f64> {
        let ((x, c), (classes, depth)) = ((operands[0].1, operands[1].1), (result.shape[1], operands[0].0.shape[1]));
        let distance = |n: usize, k: usize| (0..depth).map(|d| (x[n * depth + d] - c[k * depth + d]).powi(2)).sum();
        (0..result.len()).map(|i| distance(i / classes, i % classes)).collect()
    }
    // ANCHOR_END: reference

    /// A row of the result for each row of x.
    fn pieces(&self, result: &TensorType) -> usize {
        result.shape[0]
    }

    // ANCHOR: cpu
    fn compute(&self, operands: &[(&TensorType, Elements<'_>)], piece: usize, result: ElementsMut<'_>) {
        let depth = operands[0].0.shape[1];
        if let (Elements::F32(x), Elements::F32(c), ElementsMut::F32(out)) = (operands[0].1, operands[1].1, result) {
            let row = &x[piece * depth..][..depth];
            for (y, c) in out.iter_mut().zip(c.chunks_exact(depth)) {
                *y = row.iter().zip(c).map(|(x, c)| (x - c) * (x - c)).sum();
            }
        }
    }
    // ANCHOR_END: cpu

    // ANCHOR: wgsl
    fn wgsl(&self, operands: &[TensorType], result: &TensorType) -> String {
        let (classes, depth) = (result.shape[1], operands[0].shape[1]);
        format!(
            "
const CLASSES: u32 = {classes}u;
const DEPTH: u32 = {depth}u;

fn element(index: u32) -> f32 {{
    let row = index / CLASSES * DEPTH;
    let prototype = index % CLASSES * DEPTH;
    var sum = 0.0;
    for (var d = 0u; d < DEPTH; d++) {{
        let difference = x[row + d] - c[prototype + d];
        sum += difference * difference;
    }}
    return sum;
}}
"
        )
    }
    // ANCHOR_END: wgsl
}

// ANCHOR: verify
/// The op on a device against its definition in 64 bits, forward and backward.
pub fn verified(device: &mut Shared) -> VerifyReport {
    let of = |n: usize, k: usize, d: usize| {
        Case::new(format!("squared_distances/{n}x{k}x{d}"), |g, v| g.custom(SquaredDistances, &[v[0], v[1]]))
            .float("x", &[n, d], Draw::Normal)
            .float("c", &[k, d], Draw::Normal)
            .terms(d)
    };
    let cases = [of(5, 3, 7), of(1, 1, 1), of(33, 10, 65)];
    verify(device, &mut Reference::new(), &cases, &VerifyOptions::default())
}
// ANCHOR_END: verify

const POINTS: usize = 96;

/// Points around three corners of a triangle, and which corner it is.
fn points() -> Option<[Tensor; 2]> {
    let corner = |class: usize| [[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]][class];
    let point = |i: usize| {
        let [a, b] = corner(i % 3);
        let angle = i as f32 * 2.4;
        let radius = (i % 7) as f32 * 0.15;
        [a + radius * angle.cos(), b + radius * angle.sin()]
    };
    let labels = (0..POINTS).map(|i| (i % 3) as i32).collect();
    Some([Tensor::f32([POINTS, 2], (0..POINTS).flat_map(point).collect())?, Tensor::i32([POINTS], labels)?])
}

/// Trains the prototypes by plain gradient descent, and gives them back.
pub fn run(device: &mut Shared, steps: usize) -> Result<Vec<f64>, Box<dyn Error>> {
    use chiaro::Backend;
    let mut g = Graph::new();
    let x = g.input("x", &[POINTS, 2], DType::F32)?;
    let labels = g.input("labels", &[POINTS], DType::I32)?;
    let arena = g.arena("prototypes", DType::F32)?;
    let state = g.state(arena, "prototypes", &[3, 2])?;
    g.describe_arena(arena, chiaro::graph::ArenaRole::Parameters, Initial::Fill(0.0))?;
    let prototypes = g.state_value(state)?;
    // ANCHOR: train
    let distances = g.custom(SquaredDistances, &[x, prototypes])?;
    let logits = g.neg(distances)?;
    let loss = g.cross_entropy(logits, labels, &CrossEntropyOptions::default())?;
    let gradient = g.grad(loss, None, &[prototypes])?[0];
    let rate = g.full(&[1, 1], 0.3, DType::F32)?;
    let change = g.mul(gradient, rate)?;
    let next = g.sub(prototypes, change)?;
    g.assign(Target::State(state), next)?;
    // ANCHOR_END: train
    g.output("prototypes", next)?;
    let plan = device.compile(&g)?;
    let inputs = points().ok_or("points")?;
    for _ in 0..steps {
        device.run(plan, &inputs)?;
    }
    Ok(device.read(plan, 0)?.to_f64())
}

#[allow(dead_code, reason = "a test has its own")]
fn main() -> Result<(), Box<dyn Error>> {
    let name = std::env::args().nth(1).unwrap_or_else(|| "auto".into());
    let mut device = Device::by_name(&name, &DeviceOptions::default())?.share();
    println!("{}", verified(&mut device));
    println!("prototypes near (0, 0), (3, 0), (0, 3): {:.2?}", run(&mut device, 300)?);
    Ok(())
}
