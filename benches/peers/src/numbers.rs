//! The numbers that all peers share. Each is a hash of its index and of a stream's number, in the order of a tensor with channels
//! first; here they are laid out with channels last.

/// Stream of the images' pixels.
const IMAGES: u32 = 1000;
/// Stream of the labels.
const LABELS: u32 = 1001;
/// Stream of the first epoch's order.
const ORDERS: u32 = 2000;

/// Word `index` of a stream: a multiply-xorshift mix of the two.
fn hash32(index: u32, stream: u32) -> u32 {
    let start = index.wrapping_add(stream.wrapping_mul(0x9e37_79b9));
    let first = (start ^ (start >> 16)).wrapping_mul(0x7feb_352d);
    let second = (first ^ (first >> 15)).wrapping_mul(0x846c_a68b);
    second ^ (second >> 16)
}

/// In [0, 1), with 24 random bits.
fn unit(index: u32, stream: u32) -> f32 {
    (hash32(index, stream) >> 8) as f32 / (1u32 << 24) as f32
}

/// `rows` tensors `[C,H,W]` of consecutive indices from `first` on, as `[H,W,C]`.
fn channels_last(first: usize, rows: usize, [c, h, w]: [usize; 3], value: impl Fn(u32) -> f32) -> Vec<f32> {
    let mut all = Vec::with_capacity(rows * c * h * w);
    for row in 0..rows {
        for pixel in 0..h * w {
            all.extend((0..c).map(|channel| value((first + (row * c + channel) * h * w + pixel) as u32)));
        }
    }
    all
}

/// A weight of `rows` outputs, uniform in ±1/√fan in. `fan` is what each output sees, `[C,H,W]`: a filter, the image that a dense
/// layer flattens, or `[features,1,1]`.
pub fn weights(rows: usize, fan: [usize; 3], stream: u32) -> Vec<f32> {
    let bound = 1.0 / (fan.iter().product::<usize>() as f32).sqrt();
    channels_last(0, rows, fan, |i| (2.0 * unit(i, stream) - 1.0) * bound)
}

/// Images `first..first + rows` of extents `[C,H,W]`, pixels in [0, 1), as `[H,W,C]`.
pub fn images(first: usize, rows: usize, chw: [usize; 3]) -> Vec<f32> {
    channels_last(first * chw.iter().product::<usize>(), rows, chw, |i| unit(i, IMAGES))
}

/// Labels `first..first + rows` of 10 classes.
pub fn labels(first: usize, rows: usize) -> Vec<i32> {
    (first..first + rows).map(|i| (hash32(i as u32, LABELS) % 10) as i32).collect()
}

/// The order of `n` samples in an epoch: by hash, then by index.
pub fn order(n: usize, epoch: u32) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by_cached_key(|&i| (hash32(i as u32, ORDERS + epoch), i));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_become_the_last_axis_in_every_row() {
        let got = channels_last(100, 2, [2, 1, 3], |i| i as f32);
        assert_eq!(got, [100., 103., 101., 104., 102., 105., 106., 109., 107., 110., 108., 111.]);
    }

    #[test]
    fn later_images_continue_the_stream() {
        let all = images(0, 3, [2, 2, 2]);
        assert_eq!(images(1, 2, [2, 2, 2]), all[8..]);
        assert_eq!(labels(2, 3), labels(0, 5)[2..]);
    }

    #[test]
    fn an_order_is_a_permutation_of_its_epoch() {
        let (first, second) = (order(100, 0), order(100, 1));
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert_ne!(first, second);
    }
}
