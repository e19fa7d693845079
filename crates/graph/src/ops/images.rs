//! The builder method that makes images of packed 8-bit pixels.

use crate::dtype::DType;
use crate::error::Result;
use crate::graph::{Graph, Var};
use crate::op::Op;

/// Pixels in a u32, the first in its lowest byte.
const PER_WORD: usize = 4;

impl Graph {
    /// Images f32 `[N,H,W,C]` of a set of S: crop, flip, conversion and normalisation in one kernel. `pixels`, u32
    /// `[S,words]`, has a row for each image, its H W C pixels four to a word and filled up to whole words; `index`, i32
    /// `[N]`, tells which images; `moves`, i32 `[N,3]`, how each is moved: rows, columns, and not 0 to mirror it; `affine`, f32
    /// `[2,C]`, the factor and the summand of each channel. With (dy, dx, flip) = moves\[n\] and x' = W - 1 - x if flip is not 0, else
    /// x, the result at n, y, x, c is affine\[0, c\] times the pixel at y + dy, x' + dx, c plus affine\[1, c\], and 0 where
    /// that pixel lies outside of the image.
    ///
    /// An index outside is an error of the step where it is an input's, and reads an unspecified image where it was computed. No
    /// gradient passes.
    ///
    /// # Errors
    /// If types or extents do not fit, or fixed indices are outside.
    pub fn load_images(
        &mut self,
        pixels: Var,
        index: Var,
        moves: Var,
        affine: Var,
        [h, w, c]: [usize; 3],
    ) -> Result<Var> {
        let operands = [pixels, index, moves, affine];
        self.check_own("load_images", &operands)?;
        self.check_extents("load_images", &[h, w, c])?;
        let dtypes = operands.map(|v| self.dtype(v));
        if dtypes != [DType::U32, DType::I32, DType::I32, DType::F32] {
            return Err(self.dtype_error("load_images", &dtypes, "takes u32, i32, i32 and f32".into()));
        }
        let words = (h * w * c).div_ceil(PER_WORD);
        let shapes = operands.map(|v| self.shape(v));
        let n = match shapes {
            [&[stored, row], &[n], &[moved, 3], &[2, channels]] => {
                let fits = stored > 0 && row == words && moved == n && channels == c;
                Some(n).filter(|_| fits && words > 0)
            }
            _ => None,
        };
        let Some(n) = n else {
            let text = format!("for images of {:?} takes [S,{words}], [N], [N,3] and [2,{c}]", [h, w, c]);
            return Err(self.shape_error("load_images", &shapes, text));
        };
        let stored = shapes[0][0];
        self.bound_index(&format!("load_images of {stored}"), index, stored, None)?;
        self.record("load_images", Op::LoadImages, operands.to_vec(), vec![n, h, w, c], DType::F32)
    }
}
