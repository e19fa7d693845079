//! Which cooperative tiles a device may be trusted with: those whose results equal the portable ones in all four kernels.
//!
//! Cooperative matrices are experimental in wgpu, and a driver may compile them to anything: every tile multiplies f16
//! matrices and convolves in all three directions, at a small odd and at a larger shape, before it is used.

use chiaro_graph::DType;
use chiaro_shaders::kernels::{Conv2d, MatMul, MatOperand, ShaderKernel};
use chiaro_shaders::{ColumnReduction, Elem, Memory, ShaderError, Tile};

use crate::tune::{Apart, OutputTolerance, ends_the_search};
use crate::{AdapterSummary, Binding, Gpu, GpuError, KernelSource};

const PORTABLE: Tile = Tile::new(Memory::Direct, [16, 32, 4], [4, 4]);

/// A kernel to check: its name, how it is made for a tile, and the elements of its operands and result.
struct ProofCase {
    name: &'static str,
    make: fn(&Shapes, &Tile) -> Result<ShaderKernel, ShaderError>,
    lengths: fn(&Shapes) -> [u32; 3],
    terms: fn(&Shapes) -> u32,
}

/// A product and a convolution.
struct Shapes {
    product: MatMul,
    conv: Conv2d,
}

/// No extent of the first is a multiple of anything.
fn shapes() -> [Shapes; 2] {
    let half = MatOperand { elem: Elem::F16, ..MatOperand::default() };
    let product = |m, n, k| MatMul { a: half, b: half, ..MatMul::new(m, n, k) };
    let conv = |batch, size: u32, from, to, stride| Conv2d {
        batch,
        input: [size, size],
        in_channels: from,
        out_channels: to,
        kernel: [3, 3],
        stride: [stride; 2],
        padding: [[1; 2]; 2],
        dilation: [1; 2],
        groups: 1,
        out: None,
        x: Elem::F16,
        w: Elem::F16,
        y: Elem::F16,
        dx: Elem::F16,
        columns: ColumnReduction::None,
        keeps: false,
        fours: false,
    };
    [
        Shapes { product: product(37, 29, 43), conv: conv(2, 7, 5, 11, 2) },
        Shapes { product: product(256, 192, 160), conv: conv(2, 12, 32, 48, 1) },
    ]
}

fn conv_lengths(conv: &Conv2d) -> [u32; 3] {
    let [oh, ow] = conv.output().unwrap_or_default();
    let x = conv.batch * conv.input[0] * conv.input[1] * conv.in_channels;
    let w = conv.out_channels * conv.kernel[0] * conv.kernel[1] * conv.in_channels;
    [x, w, conv.batch * oh * ow * conv.out_channels]
}

const CASES: [ProofCase; 4] = [
    ProofCase {
        name: "the matrix product",
        make: |s, tile| s.product.kernel(tile, 1),
        lengths: |Shapes { product: p, .. }| [p.m * p.k, p.k * p.n, p.m * p.n],
        terms: |s| s.product.k,
    },
    ProofCase {
        name: "the convolution",
        make: |s, tile| s.conv.forward(tile),
        lengths: |s| conv_lengths(&s.conv),
        terms: |s| 9 * s.conv.in_channels,
    },
    ProofCase {
        name: "the input gradient",
        make: |s, tile| s.conv.input_grad(tile),
        lengths: |s| {
            let [x, w, y] = conv_lengths(&s.conv);
            [y, w, x]
        },
        terms: |s| 9 * s.conv.out_channels,
    },
    ProofCase {
        name: "the weight gradient",
        make: |s, tile| s.conv.weight_grad(tile, 1),
        lengths: |s| {
            let [x, w, y] = conv_lengths(&s.conv);
            [x, y, w]
        },
        terms: |s| conv_lengths(&s.conv)[2] / s.conv.out_channels,
    },
];

/// Numbers of a matrix product from which matrices of another shape may stand for those of 16x16x16 unasked: Intel's Xe2 multiplies 8x16x16.
/// Its DG2 has 8x8x16, for which its compiler spills where a subgroup has 32 invocations; those of 8x8x8 have tiles of their own.
const LEAST_PRODUCT: u32 = 8 * 16 * 16;
/// The largest part of a tile that Xe2 multiplies without spilling, in products a step.
const LARGEST_PART: u32 = 16 * 16 * 32;

/// The tiles of `wanted` that an adapter has matrices and room for; `forced` are also those that matrices of another shape make, slow as they
/// may be.
pub(crate) fn possible(adapter: &AdapterSummary, wanted: &[Tile], forced: bool) -> Vec<Tile> {
    let (features, limits) = (&adapter.features, &adapter.limits);
    let made = |tile: &Tile| {
        let shape = features.sixteen().unwrap_or_default();
        let part = tile.thread_rows * tile.thread_columns * tile.depth;
        forced || (shape.iter().product::<u32>() >= LEAST_PRODUCT && part <= LARGEST_PART)
    };
    let has = |tile: &Tile, size: u32| {
        let own = features.cooperative_matrix.contains(&format!("{size}x{size}x{size} F16->F32"));
        own || (size == 16 && features.sixteen().is_some() && made(tile))
    };
    let fits = |tile: &Tile| {
        let Memory::Cooperative { size, .. } = tile.memory else { return false };
        features.f16
            && features.subgroups.is_some()
            && has(tile, size)
            && tile.workgroup_bytes() <= limits.workgroup_bytes
            && tile.threads() <= limits.workgroup_invocations
    };
    wanted.iter().copied().filter(fits).collect()
}

/// The tiles to ask of a device: the forced one alone, all of them for who searches at length, or those that shapes suggest. Each takes a
/// driver eight kernels to compile.
pub(crate) fn wanted(forced: Option<Tile>, searching: bool) -> Vec<Tile> {
    match forced {
        Some(tile) => vec![tile],
        None if searching => Tile::COOPERATIVE.to_vec(),
        None => Tile::COOPERATIVE[..Tile::SUGGESTED_COOPERATIVE].to_vec(),
    }
}

/// Those of `wanted` that the device has matrices for and that give right results. Those that do not are left off with one note. A
/// device that is not to be tried is trusted with all of them.
///
/// # Errors
/// [`GpuError::DeviceLost`] and [`GpuError::Timeout`].
pub(crate) fn trusted(gpu: &Gpu, wanted: &[Tile]) -> Result<Vec<Tile>, GpuError> {
    let possible = possible(gpu.summary(), wanted, false);
    if gpu.unprobed() {
        return Ok(possible);
    }
    let (right, wrong) = judge(possible, |tile, shapes, case| run(gpu, tile, shapes, case))?;
    if let Some(reason) = wrong.first() {
        let others = if wrong.len() > 1 { format!(" (and {} more)", wrong.len() - 1) } else { String::new() };
        let left = if right.is_empty() { "cooperative matrices are" } else { "some cooperative matrix tiles are" };
        gpu.notes().add(format!("{left} left off: {reason}{others}"));
    }
    Ok(right)
}

/// The tiles whose results from `run` equal those of the portable tile, and why the others do not count.
fn judge(
    tiles: Vec<Tile>,
    run: impl Fn(&Tile, &Shapes, &ProofCase) -> Result<Vec<u8>, GpuError>,
) -> Result<(Vec<Tile>, Vec<String>), GpuError> {
    let (mut right, mut wrong, shapes) = (vec![], vec![], shapes());
    let jobs = || shapes.iter().flat_map(|s| CASES.iter().map(move |case| (s, case)));
    if tiles.is_empty() {
        return Ok((right, wrong));
    }
    let portable: Vec<Vec<u8>> = jobs().map(|(s, case)| run(&PORTABLE, s, case)).collect::<Result<_, _>>()?;
    'tiles: for tile in tiles {
        for ((shapes, case), wanted) in jobs().zip(&portable) {
            let tolerance = OutputTolerance::new(true, (case.terms)(shapes) as usize);
            let reason = match run(&tile, shapes, case) {
                Ok(got) => match tolerance.judge(result_type(case), apart(result_type(case), &got, wanted)) {
                    Ok(()) => continue,
                    Err(error) => format!("{} of tile {tile} is wrong by {error:.1e}", case.name),
                },
                Err(error) if ends_the_search(&error) => return Err(error),
                Err(error) => format!("{} of tile {tile} does not run: {error}", case.name),
            };
            wrong.push(reason);
            continue 'tiles;
        }
        right.push(tile);
    }
    Ok((right, wrong))
}

/// Products and weight gradients are f32 here, the others f16.
fn result_type(case: &ProofCase) -> DType {
    if case.name == CASES[0].name || case.name == CASES[3].name { DType::F32 } else { DType::F16 }
}

/// The result of one kernel on made-up operands.
fn run(gpu: &Gpu, tile: &Tile, shapes: &Shapes, case: &ProofCase) -> Result<Vec<u8>, GpuError> {
    let fail = |error: ShaderError| GpuError::Shader { label: case.name.to_owned(), message: error.to_string() };
    let kernel = (case.make)(shapes, tile).map_err(fail)?;
    let pipeline = gpu.pipeline(&KernelSource::own(case.name, kernel.source.build().map_err(fail)?))?;
    let [a, b, c] = (case.lengths)(shapes);
    let operand = |seed: u32, length: u32| {
        let bytes: Vec<u8> = (0..length).flat_map(|i| made_up(i, seed).to_le_bytes()).collect();
        let buffer = gpu.storage_buffer("cooperative matrices", bytes.len() as u64)?;
        gpu.upload(&buffer, 0, &bytes)?;
        Ok(buffer)
    };
    let bytes = u64::from(c) * result_type(case).size() as u64;
    let buffers = [operand(1, a)?, operand(2, b)?, gpu.storage_buffer("cooperative matrices", bytes)?];
    let bound = gpu.bind(&pipeline, &buffers.each_ref().map(Binding::from))?;
    let mut encoder = gpu.encoder("cooperative matrices")?;
    gpu.pass(&mut encoder, case.name, |pass| pass.dispatch(&pipeline, &bound, kernel.workgroups, &[]))?;
    gpu.submit(case.name, encoder)?;
    gpu.download(&buffers[2], 0, bytes)
}

/// How far results of one type are apart.
fn apart(dtype: DType, got: &[u8], wanted: &[u8]) -> Apart {
    let values = |bytes: &[u8]| -> Vec<f64> {
        if dtype == DType::F16 {
            return bytemuck::pod_collect_to_vec::<u8, half::f16>(bytes).iter().map(|v| v.to_f64()).collect();
        }
        bytemuck::pod_collect_to_vec::<u8, f32>(bytes).iter().map(|&v| f64::from(v)).collect()
    };
    let mut found = Apart::default();
    for (got, wanted) in values(got).into_iter().zip(values(wanted)) {
        found.difference += (got - wanted) * (got - wanted);
        found.norm += wanted * wanted;
        found.wrong += f64::from(u8::from(!got.is_finite()));
        found.differing += f64::from(u8::from(got != wanted));
    }
    found
}

/// A value between -1 and 1.
fn made_up(i: u32, seed: u32) -> half::f16 {
    let mixed = (i ^ seed << 20).wrapping_mul(0x9e37_79b9);
    half::f16::from_f32(((mixed ^ mixed >> 15).wrapping_mul(0x2c1b_3c6d) >> 8) as f32 / (1u32 << 23) as f32 - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AdapterFeatures, AdapterKind, AdapterLimits};

    #[test]
    fn tiles_of_16x16x16_are_for_who_has_such_matrices_or_larger_ones_than_8x8x8_that_make_them() {
        let adapter = |shapes: &[&str]| AdapterSummary {
            index: 0,
            name: "a GPU".to_owned(),
            backend: "vulkan".to_owned(),
            driver: String::new(),
            kind: AdapterKind::Discrete,
            pci: (0, 0),
            features: AdapterFeatures {
                f16: true,
                subgroups: Some((16, 32)),
                timestamps: false,
                immediates: false,
                pipeline_cache: false,
                cooperative_matrix: shapes.iter().map(|&shape| shape.to_owned()).collect(),
            },
            limits: AdapterLimits {
                workgroup_bytes: 64 << 10,
                workgroup_invocations: 1024,
                ..AdapterLimits::default()
            },
        };
        let size = |tile: &&Tile| match tile.memory {
            Memory::Cooperative { size, .. } => size,
            Memory::Workgroup | Memory::Direct => 0,
        };
        let of = |wanted: u32| Tile::COOPERATIVE.iter().filter(move |tile| size(tile) == wanted).copied().collect();
        let (all, sixteens): (Vec<Tile>, Vec<Tile>) = (Tile::COOPERATIVE.to_vec(), of(16));
        let given = |shapes: &[&str], forced| possible(&adapter(shapes), &all, forced);
        assert_eq!(given(&["8x16x16 F16->F16", "16x8x16 F16->F32", "16x16x16 F16->F32"], false), sixteens);
        let small = given(&["8x16x16 F16->F16", "8x16x16 F16->F32"], false);
        assert!(
            !small.is_empty() && small.iter().all(|tile| tile.thread_rows * tile.thread_columns <= 512),
            "{small:?}"
        );
        assert_eq!(given(&["8x16x16 F16->F32"], true), sixteens);
        assert_eq!(given(&["8x8x16 F16->F32"], false), []);
        assert_eq!(given(&["8x8x16 F16->F32"], true), sixteens);
        assert_eq!(given(&["8x8x8 F16->F32"], false), of(8));
        assert_eq!(given(&["8x8x8 F16->F32"], true), all);
        assert_eq!(given(&["8x16x16 F16->F16", "32x8x16 F16->F32"], true), []);
        assert_eq!(given(&[], true), []);
    }

    /// Values of a made-up device that computes right.
    fn right(shapes: &Shapes, case: &ProofCase) -> Vec<f32> {
        (0..(case.lengths)(shapes)[2]).map(|i| made_up(i, 9).to_f32()).collect()
    }

    fn stored(values: &[f32], case: &ProofCase) -> Vec<u8> {
        match result_type(case) {
            DType::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            _ => values.iter().flat_map(|v| half::f16::from_f32(*v).to_le_bytes()).collect(),
        }
    }

    #[test]
    fn a_tile_that_is_wrong_in_one_kernel_at_one_shape_is_left_off_and_the_others_stay() {
        let tiles = Tile::COOPERATIVE[..3].to_vec();
        for wrong_case in &CASES {
            for wrong_length in shapes().map(|s| (wrong_case.lengths)(&s)[2]) {
                let run = |tile: &Tile, shapes: &Shapes, case: &ProofCase| {
                    let mut values = right(shapes, case);
                    let here = case.name == wrong_case.name && values.len() as u32 == wrong_length;
                    if *tile == Tile::COOPERATIVE[1] && here {
                        // An accumulator that lost its last step.
                        values.iter_mut().skip(3).step_by(16).for_each(|v| *v *= 0.9);
                    }
                    Ok(stored(&values, case))
                };
                let (kept, reasons) = judge(tiles.clone(), run).expect("no device is lost");
                assert_eq!(kept, [Tile::COOPERATIVE[0], Tile::COOPERATIVE[2]]);
                assert!(reasons.len() == 1 && reasons[0].contains(wrong_case.name), "{reasons:?}");
            }
        }
    }

    #[test]
    fn a_tile_that_does_not_compile_is_left_off_and_a_lost_device_is_an_error() {
        let fails = |error: GpuError| {
            move |tile: &Tile, shapes: &Shapes, case: &ProofCase| match tile.memory {
                Memory::Cooperative { .. } => Err(error.clone()),
                _ => Ok(stored(&right(shapes, case), case)),
            }
        };
        let shader = GpuError::Shader { label: "x".to_owned(), message: "no such instruction".to_owned() };
        let (kept, reasons) = judge(Tile::COOPERATIVE.to_vec(), fails(shader)).expect("only a shader");
        assert!(
            kept.is_empty() && reasons.len() == Tile::COOPERATIVE.len() && reasons[0].contains("no such instruction"),
            "{reasons:?}"
        );
        let lost = GpuError::DeviceLost { reason: "reset".to_owned() };
        assert!(judge(Tile::COOPERATIVE.to_vec(), fails(lost)).is_err());
    }
}
