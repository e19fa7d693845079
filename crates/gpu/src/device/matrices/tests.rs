use std::collections::BTreeSet;

use chiaro_shaders::kernels::MatMul;
use chiaro_shaders::{Elem, Memory, Tile};
use wgpu::naga::front::wgsl;

use super::{MatrixShape, fit, spirv};

const SHAPES: [MatrixShape; 5] = [[8, 16, 16], [8, 8, 16], [16, 8, 16], [16, 8, 8], [8, 8, 8]];

/// A matrix product of f16 for a tile.
fn product(tile: &Tile, transposed: [bool; 2]) -> String {
    let mut product = MatMul { out: Elem::F16, ..MatMul::new(256, 256, 256) };
    (product.a.elem, product.b.elem) = (Elem::F16, Elem::F16);
    (product.a.transposed, product.b.transposed) = (transposed[0], transposed[1]);
    product.kernel(tile, 1).and_then(|kernel| kernel.source.build()).expect("a kernel")
}

/// The operands of every instruction of a kind.
fn instructions(words: &[u32], wanted: u32) -> Vec<&[u32]> {
    let (mut found, mut rest) = (vec![], &words[5..]);
    while let [first, ..] = rest {
        let length = (first >> 16) as usize;
        if first & 0xffff == wanted {
            found.push(&rest[1..length]);
        }
        rest = &rest[length..];
    }
    found
}

/// The value of a constant of SPIR-V.
fn constant(words: &[u32], id: u32) -> u32 {
    const CONSTANT: u32 = 43;
    instructions(words, CONSTANT).iter().find(|constant| constant[1] == id).expect("a constant")[2]
}

/// Rows and columns of each type of matrix in SPIR-V, by its use: 0 is a, 1 is b, 2 is the sums.
fn types(words: &[u32]) -> BTreeSet<[u32; 3]> {
    const COOPERATIVE_MATRIX: u32 = 4456;
    let value = |id: u32| constant(words, id);
    let types = instructions(words, COOPERATIVE_MATRIX);
    types.iter().map(|ty| [value(ty[5]), value(ty[3]), value(ty[4])]).collect()
}

#[test]
fn matrices_are_written_as_those_of_every_shape_in_every_tile() {
    const MULTIPLY_ADD: u32 = 4459;
    const LOAD: u32 = 4457;
    let whole = |tile: &&Tile| matches!(tile.memory, Memory::Cooperative { size: 16, .. });
    for (tile, turned) in Tile::COOPERATIVE.iter().filter(whole).flat_map(|t| [(t, [false; 2]), (t, [true, true])]) {
        let source = product(tile, turned);
        let count = |words: &[u32], op| instructions(words, op).len() as u32;
        let before = spirv(&source, [16; 3]).expect("SPIR-V");
        assert_eq!(types(&before), BTreeSet::from([[0, 16, 16], [1, 16, 16], [2, 16, 16]]));
        for [m, n, k] in SHAPES {
            let after = spirv(&source, [m, n, k]).unwrap_or_else(|error| panic!("{tile} as {m}x{n}x{k}: {error}"));
            assert_eq!(types(&after), BTreeSet::from([[0, m, k], [1, k, n], [2, m, n]]), "{tile}");
            let parts = 4096 / (m * n * k);
            assert_eq!(count(&after, MULTIPLY_ADD), parts * count(&before, MULTIPLY_ADD), "{tile} as {m}x{n}x{k}");
            assert!(count(&after, LOAD) > count(&before, LOAD), "{tile} as {m}x{n}x{k}");
        }
    }
}

#[test]
fn a_kernel_without_matrices_of_16x16_stays_as_it_is() {
    let eight = |tile: &&Tile| matches!(tile.memory, Memory::Cooperative { size: 8, .. });
    let small = Tile::COOPERATIVE.iter().find(eight).expect("a tile of 8x8x8");
    for tile in [&Tile::LARGE, small] {
        let source = product(tile, [false; 2]);
        let before = wgsl::parse_str(&source).expect("WGSL");
        let mut after = before.clone();
        assert_eq!(fit(&mut after, [8, 16, 16]), Ok(()));
        assert_eq!(format!("{before:?}"), format!("{after:?}"), "{tile}");
    }
}

#[test]
fn what_cannot_be_taken_apart_is_told() {
    let source = product(&Tile::COOPERATIVE[0], [false; 2]);
    let odd = spirv(&source, [4, 16, 16]).expect_err("four rows");
    assert!(odd.contains("4x16x16"), "{odd}");
    // Three numbers an element: no part of a row begins at an element.
    let three = "enable f16;\nenable wgpu_cooperative_matrix;\nvar<workgroup> tile: array<vec3<f32>, 256>;\n\
        @group(0) @binding(0) var<storage, read_write> sums: array<f32>;\n\
        @compute @workgroup_size(32) fn main() {\n\
        let c = coopLoadT<coop_mat16x16<f32, C>>(&tile[sums_at()], 16u);\ncoopStoreT(c, &sums[sums_at()], 16u);\n}\n\
        fn sums_at() -> u32 { return u32(sums[0]); }";
    let told = spirv(three, [8, 16, 16]).expect_err("no parts");
    assert!(told.contains("not known to have parts"), "{told}");
}

#[test]
fn barriers_of_a_subgroup_order_workgroup_memory() {
    const CONTROL_BARRIER: u32 = 224;
    const SUBGROUP: u32 = 3;
    const WORKGROUP_MEMORY: u32 = 0x100;
    let words = spirv(&product(&Tile::COOPERATIVE[0], [false; 2]), [16; 3]).expect("SPIR-V");
    let barriers = instructions(&words, CONTROL_BARRIER);
    let of_subgroups = barriers.iter().filter(|barrier| constant(&words, barrier[0]) == SUBGROUP);
    let semantics: Vec<u32> = of_subgroups.map(|barrier| constant(&words, barrier[2])).collect();
    assert!(!semantics.is_empty() && semantics.iter().all(|s| s & WORKGROUP_MEMORY != 0), "{semantics:?}");
}
