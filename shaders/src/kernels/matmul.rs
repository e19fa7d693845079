//! Batched matrix product. Bindings: a, b, c.

use crate::dispatch::elements;
use crate::gemm::{TileOperand, TiledProduct};
use crate::{ColumnReduction, Elem, ShaderError, ShaderKernel, Tile};

/// One operand of a [`MatMul`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct MatOperand {
    /// Stored transposed: `a` as `[K, M]`, `b` as `[N, K]`.
    pub transposed: bool,
    /// Elements from one matrix to the next along each batch dimension; 0 broadcasts.
    pub batch_strides: [u32; 2],
    /// The element type.
    pub elem: Elem,
}

/// `c[i, j, m, n] = sum over k of a[.., m, k] * b[.., k, n]`; `c` is dense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MatMul {
    /// The two batch dimensions (1 where there are fewer).
    pub batch: [u32; 2],
    /// Rows of the result.
    pub m: u32,
    /// Columns of the result.
    pub n: u32,
    /// Terms of each sum.
    pub k: u32,
    /// The left operand.
    pub a: MatOperand,
    /// The right operand.
    pub b: MatOperand,
    /// The element type of the result.
    pub out: Elem,
    /// What is reduced down the columns of a product without batch.
    pub columns: ColumnReduction,
}

impl MatMul {
    /// An f32 product of dense row-major matrices, without batch.
    pub fn new(m: u32, n: u32, k: u32) -> Self {
        let operand = MatOperand::default();
        Self { batch: [1, 1], m, n, k, a: operand, b: operand, out: Elem::F32, columns: ColumnReduction::None }
    }

    /// The kernel for this shape and tile. With more than one of [`MatMul::parts`] it gives `[parts, i, j, m, n]` of f32 for
    /// [`super::SumParts`] to add.
    ///
    /// # Errors
    /// An extent of 0, a tensor that 32-bit indices do not reach, or a tile that cannot be used.
    pub fn kernel(&self, tile: &Tile, parts: u32) -> Result<ShaderKernel, ShaderError> {
        let Self { batch: [b0, b1], m, n, k, a, b, out, columns } = *self;
        for dims in [[parts, b0 * b1, m, n], [1, 1, m, k], [1, 1, k, n]] {
            if elements("matmul", &dims)? == 0 {
                let reason = format!("an extent of {dims:?} is 0");
                return Err(ShaderError::Shape { kernel: "matmul", reason });
            }
        }
        // A vector never straddles two matrices or two rows.
        let aligned = |operand: &MatOperand, row: u32| operand.batch_strides.into_iter().fold(row, gcd);
        let a_op = TileOperand::new(!a.transposed, aligned(&a, if a.transposed { m } else { k }), a.elem);
        let b_op = TileOperand::new(b.transposed, aligned(&b, if b.transposed { k } else { n }), b.elem);
        let (a_op, b_op) = (a_op.for_tile(tile, tile.rows), b_op.for_tile(tile, tile.columns));
        let last = |extent: u32, op: &TileOperand| extent - if op.along_k { 1 } else { op.width };
        let c_op = TileOperand::result(n, if parts > 1 { Elem::F32 } else { out });
        let z = b0 * b1 * parts;
        let product = TiledProduct { operands: "matmul", m, n, z, phases: z, a: a_op, b: b_op, c: c_op, columns };
        let (a_last, b_last) = (last(m, &a_op), last(n, &b_op));
        let kernel = product.kernel(tile)?.map_source(|source| {
            source
                .set_const("GEMM_M", m)
                .set_const("GEMM_N", n)
                .set_const("GEMM_K", k)
                .set_const("PARTS", parts)
                .set_const("CHUNK", self.chunk(tile, parts))
                .set_const("BATCH_0", b0)
                .set_const("BATCH_1", b1)
                .set_const("K_MASKED", !k.is_multiple_of(tile.depth))
                .set_const("A_BATCH_0", a.batch_strides[0])
                .set_const("A_BATCH_1", a.batch_strides[1])
                .set_const("A_M", if a.transposed { 1 } else { k })
                .set_const("A_K", if a.transposed { m } else { 1 })
                .set_const("A_LAST", a_last)
                .set_const("B_BATCH_0", b.batch_strides[0])
                .set_const("B_BATCH_1", b.batch_strides[1])
                .set_const("B_K", if b.transposed { 1 } else { n })
                .set_const("B_N", if b.transposed { k } else { 1 })
                .set_const("B_LAST", b_last)
        });
        Ok(kernel)
    }

    /// How many parts [`MatMul::kernel`] writes when asked for `parts`: at most that, none of them empty.
    pub fn parts(&self, tile: &Tile, parts: u32) -> u32 {
        self.k.div_ceil(self.chunk(tile, parts)).max(1)
    }

    /// Terms of a part: a multiple of the tile's depth.
    fn chunk(&self, tile: &Tile, parts: u32) -> u32 {
        self.k.div_ceil(parts.max(1)).next_multiple_of(tile.depth).max(tile.depth)
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}
