//! Builder methods that resize images `[N,H,W,C]`.

use super::adaptive::Resizing;
use crate::dtype::DType;
use crate::error::Result;
use crate::graph::{Graph, Var};

/// How new pixels are made from old ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResizeMode {
    /// Pixel floor(i / scale).
    Nearest,
    /// Linear in both axes; with `align_corners` the corner pixels' centres are kept in place.
    Bilinear {
        /// Keep the corners' centres in place.
        align_corners: bool,
    },
}

impl Graph {
    /// Resizes x `[N,H,W,C]` to `[N,OH,OW,C]`. Both modes are linear maps of rows and of columns, so this is a selection
    /// or two small matrix products.
    ///
    /// # Errors
    /// If x has not four axes, an extent is 0 or too large, or x is no float and the mode bilinear.
    pub fn resize2d(&mut self, x: Var, out: [usize; 2], mode: ResizeMode) -> Result<Var> {
        let by = match mode {
            ResizeMode::Nearest => Resizing::Indices,
            ResizeMode::Bilinear { .. } => Resizing::Matrices,
        };
        self.check_resized("resize2d", x, out, by)?;
        let (h, w) = (self.shape(x)[1], self.shape(x)[2]);
        match mode {
            ResizeMode::Nearest => {
                let mut y = x;
                for (axis, input) in [h, w].into_iter().enumerate() {
                    let rows: Vec<f64> = (0..out[axis]).map(|i| (i * input / out[axis]) as f64).collect();
                    let index = self.host_constant(&[rows.len()], DType::I32, &rows)?;
                    y = self.index_select(y, index, 1 + axis)?;
                }
                Ok(y)
            }
            ResizeMode::Bilinear { align_corners } => {
                let (rows, columns) = (linear(h, out[0], align_corners), linear(w, out[1], align_corners));
                self.separable(x, out, &rows, &columns)
            }
        }
    }
}

/// Interpolation matrix `[output, input]`.
fn linear(input: usize, output: usize, align_corners: bool) -> Vec<f64> {
    let mut m = vec![0.0; output * input];
    for i in 0..output {
        let position = if align_corners {
            if output > 1 { i as f64 * (input - 1) as f64 / (output - 1) as f64 } else { 0.0 }
        } else {
            ((i as f64 + 0.5) * input as f64 / output as f64 - 0.5).max(0.0)
        };
        let low = (position as usize).min(input - 1);
        let high = (low + 1).min(input - 1);
        let share = position - low as f64;
        m[i * input + low] += 1.0 - share;
        m[i * input + high] += share;
    }
    m
}
