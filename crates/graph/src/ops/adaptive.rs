//! Pooling to an extent that is given, and the separable maps of images, of which it is one.

use crate::dtype::DType;
use crate::error::Result;
use crate::graph::{Graph, Var};
use crate::op::PoolSpec;
use crate::tensor::Tensor;

/// Most elements of a constant that a builder method makes, 128 MiB: enough to resize an extent of 5792 to the same.
const MAX_MADE: usize = 1 << 25;

/// What an image is resized by.
#[derive(Clone, Copy)]
pub(crate) enum Resizing {
    /// A matrix for each axis.
    Matrices,
    /// The indices of rows and columns.
    Indices,
}

impl Graph {
    /// Mean over the whole image: `[N,H,W,C]` to `[N,C]`.
    ///
    /// # Errors
    /// If x has not four axes or is no float.
    pub fn global_avg_pool2d(&mut self, x: Var) -> Result<Var> {
        self.check_floats("global_avg_pool2d", &[x])?;
        if self.shape(x).len() != 4 {
            return Err(self.shape_error("global_avg_pool2d", &[self.shape(x)], "takes [N,H,W,C]".into()));
        }
        self.mean(x, &[1, 2], false)
    }

    /// Mean over `out[0]` x `out[1]` regions that cover the image: output i averages rows floor(i H / OH) to
    /// ceil((i+1) H / OH). Regions are products of row and column ranges, so this is two small matrix products.
    ///
    /// # Errors
    /// If x has not four axes or is no float, or an extent is 0 or too large.
    pub fn adaptive_avg_pool2d(&mut self, x: Var, out: [usize; 2]) -> Result<Var> {
        self.check_resized("adaptive_avg_pool2d", x, out, Resizing::Matrices)?;
        if out == [1, 1] {
            return self.mean(x, &[1, 2], true);
        }
        if self.shape(x)[1..3] == out {
            return Ok(x);
        }
        let matrix = |input: usize, output: usize| {
            let mut m = vec![0.0; output * input];
            for i in 0..output {
                let (a, b) = region(input, output, i);
                m[i * input + a..i * input + b].fill(1.0 / (b - a) as f64);
            }
            m
        };
        let rows = matrix(self.shape(x)[1], out[0]);
        let columns = matrix(self.shape(x)[2], out[1]);
        self.separable(x, out, &rows, &columns)
    }

    /// Largest element of each of `out[0]` x `out[1]` regions, as in [`Graph::adaptive_avg_pool2d`]. Regions are gathered, the
    /// shorter ones repeating their last row or column, and pooled.
    ///
    /// # Errors
    /// If x has not four axes or is no float, or an extent is 0 or too large.
    pub fn adaptive_max_pool2d(&mut self, x: Var, out: [usize; 2]) -> Result<Var> {
        self.check_floats("adaptive_max_pool2d", &[x])?;
        self.check_resized("adaptive_max_pool2d", x, out, Resizing::Indices)?;
        let mut x = x;
        let mut kernel = [1; 2];
        for axis in 0..2 {
            let input = self.shape(x)[1 + axis];
            let regions = || (0..out[axis]).map(|i| region(input, out[axis], i));
            let longest = regions().map(|(a, b)| b - a).max().unwrap_or(1);
            kernel[axis] = longest;
            let rows: Vec<f64> =
                regions().flat_map(|(a, b)| (0..longest).map(move |k| (a + k).min(b - 1) as f64)).collect();
            let index = self.host_constant(&[rows.len()], DType::I32, &rows)?;
            x = self.index_select(x, index, 1 + axis)?;
        }
        self.max_pool2d(x, &PoolSpec { kernel, stride: kernel, ..PoolSpec::square(1) })
    }

    /// Refuses what cannot be resized, and constants beyond all reason.
    pub(crate) fn check_resized(&self, op: &str, x: Var, out: [usize; 2], by: Resizing) -> Result<()> {
        self.check_own(op, &[x])?;
        let fail = |detail: String| Err(self.shape_error(op, &[self.shape(x), &out], detail));
        let &[n, h, w, c] = self.shape(x) else {
            return fail("takes [N,H,W,C]".into());
        };
        for (input, output) in [(h, out[0]), (w, out[1])] {
            let made = match by {
                Resizing::Matrices => input.checked_mul(output),
                Resizing::Indices => output.checked_mul(2).and_then(|n| n.checked_add(input)),
            };
            if made.is_none_or(|n| n > MAX_MADE) {
                return fail(format!("from {input} to {output} takes a constant of more than {MAX_MADE} elements"));
            }
        }
        self.check_extents(op, &[n, out[0], out[1], c])?;
        match by {
            Resizing::Matrices => self.check_floats(op, &[x]),
            Resizing::Indices => Ok(()),
        }
    }

    /// A constant from 64-bit values.
    pub(crate) fn host_constant(&mut self, shape: &[usize], dtype: DType, values: &[f64]) -> Result<Var> {
        let tensor = Tensor::from_f64(shape, dtype, values).ok_or_else(|| {
            self.shape_error("constant", &[shape, &[values.len()]], "numbers of elements differ".into())
        })?;
        self.constant(tensor)
    }

    /// Applies a matrix `[OH,H]` to the rows and `[OW,W]` to the columns of x `[N,H,W,C]`.
    pub(crate) fn separable(&mut self, x: Var, out: [usize; 2], rows: &[f64], columns: &[f64]) -> Result<Var> {
        let &[n, h, w, c] = self.shape(x) else {
            return Err(self.shape_error("resize", &[self.shape(x)], "takes [N,H,W,C]".into()));
        };
        let dtype = self.dtype(x);
        let rows = self.host_constant(&[1, out[0], h], dtype, rows)?;
        let columns = self.host_constant(&[1, out[1], w], dtype, columns)?;
        let flat = self.reshape(x, &[n, h, w * c])?;
        let tall = self.matmul(rows, flat, false, false)?;
        let flat = self.reshape(tall, &[n * out[0], w, c])?;
        let wide = self.matmul(columns, flat, false, false)?;
        self.reshape(wide, &[n, out[0], out[1], c])
    }
}

/// First and end index of an adaptive pooling region.
fn region(input: usize, output: usize, i: usize) -> (usize, usize) {
    (i * input / output, ((i + 1) * input).div_ceil(output))
}
