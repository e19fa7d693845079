//! The matrix-product family: operands of products and convolutions, multiplied in tiles with workgroup memory, without, or by
//! cooperative matrices.

mod columns;
mod cooperative;
mod cooperative_columns;
mod cooperative_tile;
mod eights;
mod shared;
mod side;
mod tile;
mod unroll;

pub use columns::ColumnReduction;
pub use tile::{Memory, Tile};

use crate::elem::{Elem, word};
use crate::{ShaderError, ShaderKernel, Source, dispatch};

/// How the elements of an operand follow one another in memory, and how many are loaded at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TileOperand {
    /// Neighbours are along k; otherwise along m (or n).
    pub along_k: bool,
    /// 1 or 4 elements a load, or 8 as two loads of four side by side.
    pub width: u32,
    /// The element type in memory.
    pub elem: Elem,
    /// It is computed as it is read, and stored by one invocation of those that read an element.
    pub kept: bool,
}

impl TileOperand {
    /// Loads of as many as `contiguous`, the length that neighbours run along, is a multiple of: of eight in 16 bits.
    pub fn new(along_k: bool, contiguous: u32, elem: Elem) -> Self {
        let width = match elem {
            Elem::F16 if contiguous.is_multiple_of(8) => 8,
            Elem::F16 | Elem::F32 if contiguous.is_multiple_of(4) => 4,
            Elem::F16 | Elem::F32 => 1,
        };
        Self { along_k, width, elem, kept: false }
    }

    /// A result, which is stored one by one or four at once.
    pub fn result(contiguous: u32, elem: Elem) -> Self {
        Self { along_k: false, width: if contiguous.is_multiple_of(4) { 4 } else { 1 }, elem, kept: false }
    }

    /// The operand as a tile of so many rows (or columns) loads it. One term at a time leaves nothing to load at once along k; only
    /// cooperative tiles load eight, which the threads must share evenly.
    pub fn for_tile(self, tile: &Tile, extent: u32) -> Self {
        let eights = tile.eights(extent) && matches!(tile.memory, Memory::Cooperative { loads: 8, .. });
        let width = if self.width == 8 && !eights { 4 } else { self.width };
        let width = if self.along_k && tile.depth < width { 1 } else { width };
        Self { width, ..self }
    }
}

/// One product: which operand module, its extents, and how the operands and the result lie in memory.
#[derive(Debug, Clone)]
pub(crate) struct TiledProduct {
    pub operands: &'static str,
    pub m: u32,
    pub n: u32,
    pub z: u32,
    /// How many neighbouring z share their columns.
    pub phases: u32,
    pub a: TileOperand,
    pub b: TileOperand,
    pub c: TileOperand,
    pub columns: ColumnReduction,
}

impl TiledProduct {
    /// The operands with what a tile needs around them and its unrolled body.
    pub fn kernel(&self, tile: &Tile) -> Result<ShaderKernel, ShaderError> {
        tile.check()?;
        let groups = [self.m.div_ceil(tile.rows), self.n.div_ceil(tile.columns), self.z];
        let groups: u64 = groups.iter().map(|&g| u64::from(g)).product();
        if groups > u64::from(u32::MAX) {
            return Err(ShaderError::Shape {
                kernel: self.operands,
                reason: format!("{groups} tiles are more than 32 bits count"),
            });
        }
        let cooperative = matches!(tile.memory, Memory::Cooperative { .. });
        if cooperative && (self.a.elem != Elem::F16 || self.b.elem != Elem::F16) {
            return Err(ShaderError::Tile { tile: tile.to_string(), reason: "cooperative matrices take f16 operands" });
        }
        let (a, b) = (self.a.for_tile(tile, tile.rows), self.b.for_tile(tile, tile.columns));
        let mut text = Source::new(self.operands)
            .include("gemm")
            .set_const("TILE_M", tile.rows)
            .set_const("TILE_N", tile.columns)
            .set_const("THREADS", tile.threads())
            .append("main", &unroll::body(tile, &a, &b, self.columns));
        text = match tile.memory {
            Memory::Direct => text,
            Memory::Workgroup => text.include("gemm_workgroup"),
            Memory::Cooperative { size, .. } => cooperative::skeleton(text, size, tile),
        };
        let element = if cooperative { "f16" } else { "f32" };
        if tile.memory != Memory::Direct {
            let [a_lanes, b_lanes] = unroll::lanes(tile, &a, &b);
            text = text
                .set_const("TILE_K", tile.depth)
                .set_alias("ATile", &shared::word_type(a_lanes, element))
                .set_alias("BTile", &shared::word_type(b_lanes, element))
                .set_const("A_LANES", a_lanes)
                .set_const("B_LANES", b_lanes);
        }
        for (name, operand) in [("A", &a), ("B", &b)] {
            text = text
                .set_alias(&format!("{name}Word"), &operand.elem.word(operand.width))
                .set_alias(&format!("{name}Val"), &word(element, operand.width))
                .set_const(&format!("{name}_WIDTH"), operand.width);
            if operand.width == 8 {
                text = eights::declare(text, &name.to_lowercase(), operand.kept);
            }
        }
        if a.kept {
            text = text.include("a_kept");
        }
        text = text.set_alias("CWord", &self.c.elem.word(self.c.width));
        text = text.include(match (self.c.width, tile.memory) {
            (4, _) => "gemm_put4",
            (_, Memory::Direct) => "gemm_put_in_a_loop",
            (_, Memory::Workgroup | Memory::Cooperative { .. }) => "gemm_put",
        });
        if self.columns != ColumnReduction::None {
            text = columns::declare(text, self, tile)?;
        }
        Ok(ShaderKernel::new(self.operands, text, dispatch::spread(self.operands, groups)?))
    }
}
