//! Kernels that move more than they compute: pointwise code, reductions, statistics, pooling, losses, optimizers.

use chiaro_graph::{CrossEntropyOptions, DType, Elementwise, Graph, PoolSpec, Var};
use chiaro_nn::{AdamW, Optimizers, PARAMS, Result, Sgd};

use crate::resident::{Resident, kernel};
use crate::workload::{Group, Workload};

/// Elements of a large vector.
const MANY: usize = 1 << 24;

/// A batch of ResNet-18's first stage, on 32x32 and on 224x224.
const SMALL_IMAGES: [usize; 4] = [32, 32, 32, 64];
const LARGE_IMAGES: [usize; 4] = [32, 112, 112, 64];

pub(crate) fn all() -> Result<Vec<Workload>> {
    let mut all = pointwise()?;
    all.extend(reductions()?);
    all.extend(pools()?);
    all.extend(losses()?);
    all.push(batch_norm("batch norm, relu 32x32x32x64", &SMALL_IMAGES, false)?);
    all.push(batch_norm("batch norm, relu 32x32x32x64 grad", &SMALL_IMAGES, true)?);
    all.push(optimizer("AdamW", AdamW::default())?);
    all.push(optimizer("SGD momentum", Sgd { momentum: 0.9, ..Sgd::default() })?);
    Ok(all)
}

fn pointwise() -> Result<Vec<Workload>> {
    let one = |name: &str, dtype, operands: usize, build: fn(&mut Graph, &[Var]) -> chiaro_graph::Result<Var>| {
        kernel(Group::Memory, name, dtype, &vec![&[MANY][..]; operands], build)
    };
    Ok(vec![
        one("negate 16M", DType::F32, 1, |g, v| g.unary(Elementwise::Neg, v[0]))?,
        one("add 16M", DType::F32, 2, |g, v| g.add(v[0], v[1]))?,
        one("gelu 16M", DType::F32, 1, |g, v| g.unary(Elementwise::Gelu, v[0]))?,
        one("add 16M f16", DType::F16, 2, |g, v| g.add(v[0], v[1]))?,
    ])
}

fn reductions() -> Result<Vec<Workload>> {
    let sum = |name: &str, shape: &[usize], axes: &[usize]| {
        kernel(Group::Reduction, name, DType::F32, &[shape], |g, v| g.sum(v[0], axes, false))
    };
    Ok(vec![
        sum("sum over N,H,W 32x32x32x64", &SMALL_IMAGES, &[0, 1, 2])?,
        sum("sum of all 16M", &[MANY], &[0])?,
        sum("sum of rows 4096x4096", &[4096, 4096], &[1])?,
        sum("sum of columns 4096x4096", &[4096, 4096], &[0])?,
    ])
}

fn pools() -> Result<Vec<Workload>> {
    let mut all = vec![];
    let three = PoolSpec { stride: [2; 2], padding: [1; 2], ..PoolSpec::square(3) };
    for (name, shape, spec) in [
        ("max pool 64x26x26x64 2x2/2", [64, 26, 26, 64], PoolSpec::square(2)),
        ("max pool 32x112x112x64 3x3/2", LARGE_IMAGES, three),
    ] {
        all.push(kernel(Group::Memory, &format!("{name} fwd"), DType::F32, &[&shape], |g, v| {
            g.max_pool2d(v[0], &spec)
        })?);
        let (height, width) = (shape[1].div_ceil(2), shape[2].div_ceil(2));
        let y = [shape[0], height, width, shape[3]];
        all.push(kernel(Group::Memory, &format!("{name} dx"), DType::F32, &[&shape, &y], |g, v| {
            let result = g.max_pool2d(v[0], &spec)?;
            Ok(g.grad(result, Some(v[1]), &[v[0]])?[0])
        })?);
    }
    all.push(kernel(Group::Reduction, "global average pool 32x7x7x512", DType::F32, &[&[32, 7, 7, 512]], |g, v| {
        g.global_avg_pool2d(v[0])
    })?);
    Ok(all)
}

fn losses() -> Result<Vec<Workload>> {
    let shape = [4096, 1000];
    let softmax =
        kernel(Group::Reduction, "softmax 4096x1000", DType::F32, &[&shape], |g, v| g.softmax(v[0], 1, false))?;
    let mut resident = Resident::default();
    let logits = resident.operand("logits", &shape, DType::F32)?;
    let labels = resident.index("labels", &shape[..1], shape[1])?;
    let loss = resident.graph.cross_entropy(logits, labels, &CrossEntropyOptions::default())?;
    let gradient = resident.graph.grad(loss, None, &[logits])?[0];
    resident.result("loss", loss)?;
    resident.result("gradient", gradient)?;
    let name = "softmax-CE with gradient 4096x1000";
    Ok(vec![softmax, resident.workload(Group::Reduction, name, DType::F32)])
}

/// Batch norm over images with the ReLU behind it, or its gradients by all three operands.
fn batch_norm(name: &str, shape: &[usize; 4], gradient: bool) -> Result<Workload> {
    let mut resident = Resident::default();
    let x = resident.operand("x", shape, DType::F32)?;
    let scale = resident.operand("scale", &shape[3..], DType::F32)?;
    let shift = resident.operand("shift", &shape[3..], DType::F32)?;
    let (normal, _) = resident.graph.batch_norm(x, scale, shift, 1e-5)?;
    let y = resident.graph.relu(normal)?;
    if gradient {
        let cotangent = resident.operand("dy", shape, DType::F32)?;
        let gradients = resident.graph.grad(y, Some(cotangent), &[x, scale, shift])?;
        for (name, gradient) in ["dx", "dscale", "dshift"].iter().zip(gradients) {
            resident.result(name, gradient)?;
        }
    } else {
        resident.result("y", y)?;
    }
    Ok(resident.workload(Group::Reduction, name, DType::F32))
}

/// An optimizer over as many parameters as ResNet-18 has.
fn optimizer(name: &str, optimizer: impl Into<Optimizers>) -> Result<Workload> {
    let optimizer = optimizer.into();
    const PARAMETERS: usize = 11_173_962;
    let mut resident = Resident::default();
    resident.operand(PARAMS, &[PARAMETERS], DType::F32)?;
    let params = resident.graph.arena(PARAMS, DType::F32)?;
    let len = resident.graph.arenas()[params.index()].len;
    let gradient = resident.operand("gradient", &[len], DType::F32)?;
    let hyper = resident.operand("hyper", &[optimizer.hyper_len()], DType::F32)?;
    optimizer.apply(&mut resident.graph, params, gradient, hyper, None)?;
    Ok(resident.workload(Group::Memory, &format!("{name} 11.2M parameters"), DType::F32))
}
