//! Values of a graph while they are written: known ones, and ONNX tensors in some order of their axes.

use super::builder::Wide;

/// A value of the graph.
#[derive(Clone, Debug)]
pub(crate) enum Val {
    /// Known; its extents broadcast to those of the node.
    Known { wide: Wide, name: Option<String> },
    /// Axis i of the tensor is axis `order[i]` of the value. Its extents broadcast to those of the node.
    Tensor { name: String, order: Vec<usize> },
    /// A matrix `[N H W, C]` that is the image `[N,C,H,W]`.
    Rows { name: String },
    /// A matrix `[N, H W C]` whose columns lie in the order of channel, row, column.
    Pixels { name: String, image: [usize; 3] },
}

/// The order of an image as ONNX has it.
pub(crate) const IMAGE: [usize; 4] = [0, 3, 1, 2];

pub(crate) fn plain(rank: usize) -> Vec<usize> {
    (0..rank).collect()
}

impl Wide {
    pub fn number(value: f64) -> Wide {
        Wide { shape: vec![], values: vec![value] }
    }

    /// The single number, if there is but one.
    pub fn single(&self) -> Option<f64> {
        let first = *self.values.first()?;
        self.values.iter().all(|v| *v == first).then_some(first)
    }

    fn strides(&self) -> Vec<usize> {
        crate::host::strides(&self.shape)
    }

    /// Axis i of the result is axis `perm[i]` of this.
    pub fn permuted(&self, perm: &[usize]) -> Wide {
        let shape: Vec<usize> = perm.iter().map(|&p| self.shape[p]).collect();
        let own = self.strides();
        let steps: Vec<usize> = perm.iter().map(|&p| own[p]).collect();
        self.picked(&shape, |place| place.iter().zip(&steps).map(|(i, s)| i * s).sum())
    }

    /// The same under extents of at least this rank that it broadcasts to.
    pub fn spread(&self, shape: &[usize]) -> Wide {
        let lead = shape.len() - self.shape.len();
        let own = self.strides();
        self.picked(shape, |place| {
            (0..self.shape.len()).map(|i| if self.shape[i] == 1 { 0 } else { place[lead + i] * own[i] }).sum()
        })
    }

    pub fn reshaped(&self, shape: &[usize]) -> Wide {
        Wide { shape: shape.to_vec(), values: self.values.clone() }
    }

    /// With leading axes of extent 1 up to a rank.
    pub fn with_rank(&self, rank: usize) -> Wide {
        let lead = vec![1; rank.saturating_sub(self.shape.len())];
        self.reshaped(&[&lead[..], &self.shape[..]].concat())
    }

    /// Elements taken from the places that `source` gives.
    pub fn picked(&self, shape: &[usize], source: impl Fn(&[usize]) -> usize) -> Wide {
        let all = crate::host::strides(shape);
        let n: usize = shape.iter().product();
        let mut place = vec![0; shape.len()];
        let values = (0..n).map(|flat| {
            for (i, p) in place.iter_mut().enumerate() {
                *p = flat / all[i] % shape[i];
            }
            self.values[source(&place)]
        });
        Wide { shape: shape.to_vec(), values: values.collect() }
    }
}
