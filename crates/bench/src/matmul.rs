//! Products of matrices: large squares in every transposition, and the dense layers of the models.

use chiaro_graph::DType;
use chiaro_nn::Result;

use crate::resident::kernel;
use crate::workload::{Group, Workload};

/// Rows, columns and terms, whether the first and the second operand are transposed.
const PRODUCTS: &[(&str, [usize; 3], [bool; 2])] = &[
    ("dense 128-10 batch 64 fwd", [64, 10, 128], [false, true]),
    ("dense 128-10 batch 64 dx", [64, 128, 10], [false, false]),
    ("dense 128-10 batch 64 dw", [10, 128, 64], [true, false]),
    ("dense 9216-128 batch 64 fwd", [64, 128, 9216], [false, true]),
    ("dense 9216-128 batch 64 dx", [64, 9216, 128], [false, false]),
    ("dense 9216-128 batch 64 dw", [128, 9216, 64], [true, false]),
    ("matmul 256", [256; 3], [false, false]),
    ("matmul 512", [512; 3], [false, false]),
    ("matmul 1024", [1024; 3], [false, false]),
    ("matmul 1024 A'B", [1024; 3], [true, false]),
    ("matmul 1024 AB'", [1024; 3], [false, true]),
    ("matmul 1000", [1000; 3], [false, false]),
    ("matmul 2048", [2048; 3], [false, false]),
    ("matmul 4096", [4096; 3], [false, false]),
];

/// Those of Winograd's 36 positions in the layers of a ResNet-18 of 32x32 images, batch 128: forward, and weight gradients.
const BATCHES: &[([usize; 3], [bool; 2])] = &[
    ([8192, 64, 64], [false, true]),
    ([2048, 128, 128], [false, true]),
    ([512, 256, 256], [false, true]),
    ([128, 512, 512], [false, true]),
    ([64, 64, 8192], [true, false]),
    ([128, 128, 2048], [true, false]),
    ([256, 256, 512], [true, false]),
    ([512, 512, 128], [true, false]),
];

pub(crate) fn all() -> Result<Vec<Workload>> {
    let product = |name: &str, [m, n, k]: [usize; 3], [ta, tb]: [bool; 2], dtype| {
        let a = if ta { [k, m] } else { [m, k] };
        let b = if tb { [n, k] } else { [k, n] };
        kernel(Group::MatMul, name, dtype, &[&a, &b], |g, v| g.matmul(v[0], v[1], ta, tb))
    };
    let mut all = vec![];
    for (name, shape, transposed) in PRODUCTS {
        all.push(product(name, *shape, *transposed, DType::F32)?);
    }
    for ([m, n, k], [ta, tb]) in BATCHES {
        let name = format!("36 of {m}x{n}x{k}{}", if *ta { " A'B" } else { " AB'" });
        let a = if *ta { [36, *k, *m] } else { [36, *m, *k] };
        let b = if *tb { [36, *n, *k] } else { [36, *k, *n] };
        all.push(kernel(Group::MatMul, &name, DType::F32, &[&a, &b], |g, v| g.matmul(v[0], v[1], *ta, *tb))?);
    }
    for n in [1024, 4096] {
        all.push(product(&format!("matmul {n} f16"), [n; 3], [false, false], DType::F16)?);
    }
    Ok(all)
}
