//! From one number of channels to another: grey, RGB, RGB with alpha.

use std::borrow::Cow;

/// How many channels images shall have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    /// One channel: luma by the weights of ITU-R BT.601, as Pillow's `L`.
    Grey,
    /// Red, green, blue. Grey images have their channel repeated.
    Rgb,
    /// Red, green, blue and alpha, which is 255 where an image has none.
    Rgba,
}

impl Channels {
    /// All of them.
    pub const ALL: [Channels; 3] = [Self::Grey, Self::Rgb, Self::Rgba];

    /// 1, 3 or 4.
    pub fn count(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
            Self::Rgba => 4,
        }
    }

    /// Those of this number.
    pub fn of_count(count: usize) -> Option<Channels> {
        Self::ALL.into_iter().find(|channels| channels.count() == count)
    }
}

/// Grey, RGB or RGBA pixels in another of these forms. Alpha, where it is not wanted, is composed over white; other numbers of
/// channels must be equal.
pub(crate) fn convert(image: &[u8], from: usize, to: usize) -> Cow<'_, [u8]> {
    match (from, to) {
        (1, 3) => Cow::Owned(image.iter().flat_map(|&grey| [grey; 3]).collect()),
        (1, 4) => Cow::Owned(image.iter().flat_map(|&grey| [grey, grey, grey, 255]).collect()),
        (3, 1) => Cow::Owned(image.as_chunks().0.iter().map(luma).collect()),
        (3, 4) => Cow::Owned(image.as_chunks::<3>().0.iter().flat_map(|&[r, g, b]| [r, g, b, 255]).collect()),
        (4, 1) => Cow::Owned(image.as_chunks().0.iter().map(|pixel| luma(&over_white(pixel))).collect()),
        (4, 3) => Cow::Owned(image.as_chunks().0.iter().flat_map(over_white).collect()),
        _ => Cow::Borrowed(image),
    }
}

/// Luma of BT.601 in Pillow's fixed point.
fn luma(&[red, green, blue]: &[u8; 3]) -> u8 {
    ((u32::from(red) * 19595 + u32::from(green) * 38470 + u32::from(blue) * 7471 + 0x8000) >> 16) as u8
}

/// A pixel as it looks on white paper.
fn over_white(&[red, green, blue, alpha]: &[u8; 4]) -> [u8; 3] {
    let alpha = u32::from(alpha);
    [red, green, blue].map(|value| ((u32::from(value) * alpha + 255 * (255 - alpha) + 127) / 255) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grey_survives_a_round_trip_through_the_others() {
        let grey: Vec<u8> = (0..=255).collect();
        for channels in [3, 4] {
            let more = convert(&grey, 1, channels).into_owned();
            assert_eq!(more.len(), 256 * channels);
            assert_eq!(convert(&more, channels, 1).as_ref(), grey);
            assert_eq!(convert(&more, channels, 7 - channels).len(), 256 * (7 - channels));
        }
    }

    #[test]
    fn luma_has_the_weights_of_bt_601() {
        let of = |colour: [u8; 3]| convert(&colour, 3, 1)[0];
        assert_eq!([of([255, 0, 0]), of([0, 255, 0]), of([0, 0, 255]), of([255; 3])], [76, 150, 29, 255]);
    }

    #[test]
    fn alpha_is_composed_over_white() {
        assert_eq!(
            convert(&[10, 20, 30, 0, 10, 20, 30, 255, 0, 100, 200, 128], 4, 3).as_ref(),
            [255, 255, 255, 10, 20, 30, 127, 177, 227]
        );
    }
}
