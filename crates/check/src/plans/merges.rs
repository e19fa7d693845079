//! Which calls may become one.

use super::{Record, conv};
use chiaro_graph::{ConvSpec, DType, Elementwise, Graph, ReduceKind, Result, Var};

pub(super) const CASES: &[(&str, Record)] = &[
    ("a value that is joined with a convolution of itself and read once more", dense_block),
    ("a value that is joined with a softmax of itself and read once more", softmax_block),
    ("a convolution that is joined with one of itself and normalised", normalised_block),
    ("a sum of what a convolution gives, which is joined with another", summed_block),
    ("a convolution with a stride beside one of 1x1", |g| strided_pair(g, 8, [2, 2])),
    ("a convolution with another stride down than across beside one of 1x1", |g| strided_pair(g, 9, [3, 1])),
    ("a convolution whose stride does not divide the image beside one of 1x1", |g| strided_pair(g, 7, [2, 2])),
    ("a sum of the channels of images that products of whole rows made smaller", summed_channels),
    ("a sum of products with what follows", sum_with_what_follows),
    ("a sum of products with the mirror image", sum_with_mirror),
    ("a value in 16 bits that goes on in 32", rounded),
    ("whole numbers in 16 bits", rounded_integers),
    ("the gradient of the largest of 16-bit values", gradient_of_half_maximum),
    ("a 16-bit value compared with itself", compared_halves),
    ("a padded value that goes on", padded),
    ("a padded value that is joined with others and normalised", padded_and_joined),
    ("sums of as many values as a kernel can bind, of fewer and of more", sums),
];

fn dense_block(g: &mut Graph) -> Result<()> {
    let x = g.input("x", &[1, 4, 4, 2], DType::F32)?;
    let y = g.relu(x)?;
    let z = conv(g, y, "w")?;
    let c = g.concat(&[y, z], 3)?;
    let s = g.map_scalars(Elementwise::Mul, y, &[2.0])?;
    g.output("c", c)?;
    g.output("s", s)
}

fn softmax_block(g: &mut Graph) -> Result<()> {
    let x = g.input("x", &[2, 4], DType::F32)?;
    let y = g.relu(x)?;
    let m = g.softmax(y, 1, false)?;
    let c = g.concat(&[y, m], 1)?;
    let s = g.unary(Elementwise::Sigmoid, y)?;
    g.output("c", c)?;
    g.output("s", s)
}

fn normalised_block(g: &mut Graph) -> Result<()> {
    let x = g.input("x", &[1, 4, 4, 8], DType::F32)?;
    let scale = g.input("scale", &[8], DType::F32)?;
    let y = conv(g, x, "w1")?;
    let z = conv(g, y, "w2")?;
    let c = g.concat(&[y, z], 3)?;
    let (b, _) = g.batch_norm(y, scale, scale, 1e-3)?;
    g.output("c", c)?;
    g.output("b", b)
}

fn summed_block(g: &mut Graph) -> Result<()> {
    let x = g.input("x", &[1, 4, 4, 8], DType::F32)?;
    let y = conv(g, x, "w1")?;
    let y = g.relu(y)?;
    let z = conv(g, y, "w2")?;
    let c = g.concat(&[y, z], 3)?;
    let s = g.sum(y, &[0, 1, 2], false)?;
    g.output("c", c)?;
    g.output("s", s)
}

/// The last axis of what is summed is a part of the products' columns.
fn summed_channels(g: &mut Graph) -> Result<()> {
    let x = g.input("x", &[3, 2, 40], DType::F32)?;
    let rows = g.input("rows", &[3, 5, 2], DType::F32)?;
    let scale = g.input("scale", &[8], DType::F32)?;
    let y = g.matmul(rows, x, false, false)?;
    let y = g.reshape(y, &[3, 5, 5, 8])?;
    let y = g.mul(y, scale)?;
    let sums = g.sum(y, &[0, 1, 2], false)?;
    g.output("y", y)?;
    g.output("sums", sums)
}

/// The input's gradient is a sum, and behind a norm.
fn strided_pair(g: &mut Graph, extent: usize, stride: [usize; 2]) -> Result<()> {
    let x = g.input("x", &[2, extent, 6, 8], DType::F32)?;
    let scale = g.input("scale", &[8], DType::F32)?;
    let (y, _) = g.batch_norm(x, scale, scale, 1e-3)?;
    let y = g.relu(y)?;
    let wide = g.input("wide", &[12, 3, 3, 8], DType::F32)?;
    let narrow = g.input("narrow", &[12, 1, 1, 8], DType::F32)?;
    let a = g.conv2d(y, wide, &ConvSpec { stride, padding: [1; 4], ..ConvSpec::default() })?;
    let b = g.conv2d(y, narrow, &ConvSpec { stride, ..ConvSpec::default() })?;
    let shape = g.shape(a).to_vec();
    let ones = [g.input("da", &shape, DType::F32)?, g.input("db", &shape, DType::F32)?];
    let products = [g.mul(a, ones[0])?, g.mul(b, ones[1])?];
    let sum = g.add(products[0], products[1])?;
    let wrt = [x, scale, wide, narrow];
    let cotangent = g.input("cotangent", &shape, DType::F32)?;
    for (name, gradient) in ["dx", "dscale", "dwide", "dnarrow"].iter().zip(g.grad(sum, Some(cotangent), &wrt)?) {
        g.output(name, gradient)?;
    }
    Ok(())
}

fn sum_with_what_follows(g: &mut Graph) -> Result<()> {
    let x = g.input("x", &[2, 8, 8, 8], DType::F32)?;
    let y = conv(g, x, "w1")?;
    let t = conv(g, y, "w2")?;
    let p = g.mul(y, t)?;
    let s = g.sum(p, &[0, 1, 2], false)?;
    g.output("s", s)
}

fn sum_with_mirror(g: &mut Graph) -> Result<()> {
    let a = g.input("a", &[64, 32], DType::F32)?;
    let w = g.input("w", &[32, 64], DType::F32)?;
    let y = g.matmul(a, w, false, false)?;
    let r = g.slice(y, &[63, 0], &[64, 64], &[-1, 1])?;
    let p = g.mul(y, r)?;
    let s = g.sum(p, &[0], false)?;
    g.output("s", s)
}

fn rounded(g: &mut Graph) -> Result<()> {
    let x = g.input("x", &[23], DType::F32)?;
    for (name, factor) in [("small", 1.0001), ("odd", 2049.0), ("overflowing", 1e6)] {
        let y = g.map_scalars(Elementwise::Mul, x, &[factor])?;
        let h = g.cast(y, DType::F16)?;
        let wide = g.cast(h, DType::F32)?;
        g.output(name, wide)?;
    }
    Ok(())
}

fn rounded_integers(g: &mut Graph) -> Result<()> {
    let i = g.iota(5000)?;
    let h = g.cast(i, DType::F16)?;
    let wide = g.cast(h, DType::F32)?;
    g.output("wide", wide)
}

fn gradient_of_half_maximum(g: &mut Graph) -> Result<()> {
    let x = g.input("x", &[4, 23], DType::F32)?;
    let h = g.cast(x, DType::F16)?;
    for (name, kind) in [("largest", ReduceKind::Max), ("least", ReduceKind::Min)] {
        let m = g.reduce(kind, h, &[0, 1], false)?;
        let d = g.grad(m, None, &[x])?;
        g.output(name, d[0])?;
    }
    Ok(())
}

fn compared_halves(g: &mut Graph) -> Result<()> {
    let x = g.input("x", &[4, 23], DType::F32)?;
    let h = g.cast(x, DType::F16)?;
    let root = g.unary(Elementwise::Exp, h)?;
    let largest = g.reduce(ReduceKind::Max, root, &[1], true)?;
    let largest = g.broadcast_to(largest, &[4, 23])?;
    let hit = g.map(Elementwise::Equal, &[root, largest])?;
    let hit = g.cast(hit, DType::F32)?;
    let hits = g.sum(hit, &[1], false)?;
    g.output("hits", hits)
}

fn padded(g: &mut Graph) -> Result<()> {
    let a = g.input("a", &[6, 7], DType::F32)?;
    for (i, (low, high)) in [([0, 0], [0, 0]), ([1, 0], [0, 2]), ([0, 0], [2, 0])].into_iter().enumerate() {
        let p = g.pad(a, &low, &high, 2.5)?;
        let q = g.map_scalars(Elementwise::Add, p, &[1.0])?;
        let q = g.relu(q)?;
        g.output(&format!("{i}"), q)?;
    }
    Ok(())
}

fn padded_and_joined(g: &mut Graph) -> Result<()> {
    let x = g.input("x", &[1, 4, 4, 8], DType::F32)?;
    let w = g.input("w", &[8, 1, 1, 8], DType::F32)?;
    let y = g.conv2d(x, w, &ConvSpec::default())?;
    let p = g.pad(y, &[0, 1, 0, 0], &[0, 1, 0, 0], 0.5)?;
    let q = conv(g, p, "v")?;
    let c = g.concat(&[q, p], 3)?;
    let s = g.map_scalars(Elementwise::Mul, p, &[3.0])?;
    g.output("c", c)?;
    g.output("s", s)
}

fn sums(g: &mut Graph) -> Result<()> {
    let values: Vec<Var> = (0..66).map(|i| g.input(&format!("x{i}"), &[3, 5], DType::F32)).collect::<Result<_>>()?;
    // GPUs bind eight, the CPU 64.
    for n in (2..=9).chain(61..=66) {
        // Factors of its own keep a sum from sharing parts with the next.
        let mut sum = g.map_scalars(Elementwise::Mul, values[0], &[n as f64])?;
        for (i, &x) in values[1..n].iter().enumerate() {
            let part = g.map_scalars(Elementwise::Mul, x, &[(i * n) as f64 / 50.0 + 1.0])?;
            sum = g.add(sum, part)?;
        }
        g.output(&format!("{n}"), sum)?;
    }
    Ok(())
}
