//! Filters that whiten the patches of images (arXiv:2404.00498, section 3.2): the eigenvectors of the patches' covariance, each
//! divided by the root of its eigenvalue, and the same with the other sign.

use crate::init::Init;

/// Added to eigenvalues, so that directions in which images hardly differ are not blown up.
const EPSILON: f64 = 5e-4;

/// Images as a model sees them, for initial values that are made of images.
#[derive(Clone, Debug, PartialEq)]
pub struct ExampleImages {
    /// Normalised pixels `[N,H,W,C]`.
    pub pixels: Vec<f32>,
    /// Height, width and channels.
    pub shape: [usize; 3],
}

impl ExampleImages {
    /// How many images of this height and width are enough: as many pixels as 5,000 images of 32x32 have.
    pub fn enough(height: usize, width: usize) -> usize {
        (5000 * 32 * 32 / (height * width).max(1)).max(1)
    }

    /// A weight `[2·KH·KW·C, KH, KW, C]` whose outputs on these images' patches are uncorrelated and of variance 1, or `None` where
    /// the weight is no such one, or an image is smaller than the patch.
    pub(crate) fn whitening(&self, weight: &[usize]) -> Option<Vec<f32>> {
        let (&[outputs, rows, columns, channels], [height, width, depth]) = (weight, self.shape) else { return None };
        let len = rows * columns * channels;
        if channels != depth || outputs != 2 * len || rows > height || columns > width || self.pixels.is_empty() {
            return None;
        }
        let (values, vectors) = eigen(self.covariance(rows, columns), len);
        let mut order: Vec<usize> = (0..len).collect();
        order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
        let filter = |&of: &usize| {
            let scale = 1.0 / (values[of].max(0.0) + EPSILON).sqrt();
            let vectors = &vectors;
            (0..len).map(move |at| (vectors[at * len + of] * scale) as f32)
        };
        let filters: Vec<f32> = order.iter().flat_map(filter).collect();
        let opposite: Vec<f32> = filters.iter().map(|value| -value).collect();
        Some([filters, opposite].concat())
    }

    /// The mean of each product of two elements of a patch, `[L,L]`; normalised images have mean 0.
    fn covariance(&self, rows: usize, columns: usize) -> Vec<f64> {
        let [height, width, channels] = self.shape;
        let len = rows * columns * channels;
        let (mut sums, mut patches, mut patch) = (vec![0.0; len * len], 0u64, vec![0.0; len]);
        for image in self.pixels.chunks_exact(height * width * channels) {
            for (y, x) in (0..=height - rows).flat_map(|y| (0..=width - columns).map(move |x| (y, x))) {
                for (row, out) in patch.chunks_exact_mut(columns * channels).enumerate() {
                    let start = ((y + row) * width + x) * channels;
                    out.iter_mut().zip(&image[start..]).for_each(|(to, from)| *to = f64::from(*from));
                }
                for (sum, a) in sums.chunks_exact_mut(len).zip(&patch) {
                    sum.iter_mut().zip(&patch).for_each(|(sum, b)| *sum += a * b);
                }
                patches += 1;
            }
        }
        sums.iter().map(|sum| sum / patches.max(1) as f64).collect()
    }
}

impl Init {
    /// [`Init::values`] into their place, made of images where it asks for them and they are given.
    pub(crate) fn fill_from(
        self,
        values: &mut [f32],
        shape: &[usize],
        seed: u64,
        index: u32,
        examples: Option<&ExampleImages>,
    ) {
        match examples.filter(|_| self == Init::Whitening).and_then(|examples| examples.whitening(shape)) {
            Some(made) => values.copy_from_slice(&made),
            None => self.fill(values, shape, seed, index),
        }
    }
}

/// Eigenvalues and, as columns, eigenvectors of a symmetric matrix, by Jacobi's rotations (Golub and Van Loan, section 8.5).
fn eigen(mut matrix: Vec<f64>, n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut vectors = vec![0.0; n * n];
    (0..n).for_each(|i| vectors[i * n + i] = 1.0);
    // Each sweep squares what is off the diagonal; ten leave nothing.
    for _ in 0..30 {
        for (p, q) in (0..n).flat_map(|p| (p + 1..n).map(move |q| (p, q))) {
            let off = matrix[p * n + q];
            if off == 0.0 {
                continue;
            }
            let theta = (matrix[q * n + q] - matrix[p * n + p]) / (2.0 * off);
            let tangent = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
            let cosine = 1.0 / (tangent * tangent + 1.0).sqrt();
            let turn = (cosine, tangent * cosine);
            (0..n).for_each(|i| rotate(&mut matrix, [i * n + p, i * n + q], turn));
            (0..n).for_each(|i| rotate(&mut matrix, [p * n + i, q * n + i], turn));
            (0..n).for_each(|i| rotate(&mut vectors, [i * n + p, i * n + q], turn));
        }
    }
    ((0..n).map(|i| matrix[i * n + i]).collect(), vectors)
}

fn rotate(values: &mut [f64], [p, q]: [usize; 2], (cosine, sine): (f64, f64)) {
    let (a, b) = (values[p], values[q]);
    values[p] = cosine * a - sine * b;
    values[q] = sine * a + cosine * b;
}

#[cfg(test)]
mod tests {
    use super::*;
    use chiaro_graph::shape::count;

    /// Images of three correlated channels whose neighbours are alike.
    fn images(count: usize) -> ExampleImages {
        let [h, w, c] = [6, 5, 3];
        let noise = Init::Normal { std: 1.0 }.values(&[count, h, w, c], 5, 0);
        let mut pixels = noise.clone();
        for at in c..pixels.len() {
            pixels[at] = 0.6 * pixels[at - c] + 0.3 * pixels[at - 1] + 0.7 * noise[at];
        }
        ExampleImages { pixels, shape: [h, w, c] }
    }

    #[test]
    fn whitened_patches_are_uncorrelated_and_of_variance_one() {
        let images = images(200);
        let len = 2 * 2 * 3;
        let weight = images.whitening(&[2 * len, 2, 2, 3]).expect("a weight");
        let covariance = images.covariance(2, 2);
        let of = |filter: usize| &weight[filter * len..(filter + 1) * len];
        let product = |a: &[f32], b: &[f32]| -> f64 {
            let row = |i: usize| (0..len).map(|j| covariance[i * len + j] * f64::from(b[j])).sum::<f64>();
            (0..len).map(|i| f64::from(a[i]) * row(i)).sum()
        };
        for (a, b) in (0..len).flat_map(|a| (0..len).map(move |b| (a, b))) {
            let want = if a == b { 1.0 } else { 0.0 };
            let found = product(of(a), of(b));
            // The epsilon takes from a direction of little variance.
            let near = if a == b { 0.02 } else { 1e-5 };
            assert!((found - want).abs() < near, "{a} with {b}: {found}");
        }
        assert!(weight[..len * len].iter().zip(&weight[len * len..]).all(|(a, b)| *a == -*b));
        // Without whitening, neighbours are far from that.
        assert!(covariance[3].abs() > 0.3, "{}", covariance[3]);
    }

    #[test]
    fn what_is_no_such_weight_starts_at_random() {
        let (images, shape) = (images(2), [24, 2, 2, 3]);
        let filled = |init: Init, shape: &[usize], images| {
            let mut values = vec![0.0; count(shape)];
            init.fill_from(&mut values, shape, 1, 0, images);
            values
        };
        let whitened = filled(Init::Whitening, &shape, Some(&images));
        assert_ne!(whitened, Init::Whitening.values(&shape, 1, 0));
        for (init, shape, images) in [
            (Init::Whitening, [20, 2, 2, 3], Some(&images)),
            (Init::Whitening, [32, 2, 2, 4], Some(&images)),
            (Init::Whitening, [24, 2, 2, 3], None),
            (Init::ONES, [24, 2, 2, 3], Some(&images)),
        ] {
            assert_eq!(filled(init, &shape, images), init.values(&shape, 1, 0));
        }
    }
}
