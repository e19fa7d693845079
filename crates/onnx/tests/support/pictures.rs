//! Real pictures for networks to be asked about: digits of the repository, and photos of CIFAR-10 where `CHIARO_JUDGE_PICTURES` names one
//! of its binary files; drawn ones where there are none.

use std::io::Read;
use std::path::Path;

/// Names a file of CIFAR-10, such as `test_batch.bin`.
const PHOTOS: &str = "CHIARO_JUDGE_PICTURES";

/// Square pictures.
pub struct Pictures {
    side: usize,
    channels: usize,
    /// Planes of 8-bit pixels, one picture after the other; empty where waves are drawn.
    planes: Vec<u8>,
}

impl Pictures {
    /// Pictures of so many channels.
    pub fn of(channels: usize) -> Pictures {
        let photos = std::env::var_os(PHOTOS).filter(|_| channels == 3);
        let (side, planes) = match (channels, photos) {
            (1, _) => (28, digits()),
            (_, Some(file)) => (32, photos_of(Path::new(&file))),
            (_, None) => (1, vec![]),
        };
        Pictures { side, channels, planes }
    }

    /// What they are, for a report.
    pub fn kind(&self) -> &'static str {
        match (self.planes.is_empty(), self.channels) {
            (true, _) => "drawn",
            (false, 1) => "digits",
            (false, _) => "photos",
        }
    }

    /// A pixel of channel `k` of picture `n` that is brought to `[h, w]`, with a mean near 0 and a deviation near 1.
    pub fn pixel(&self, n: usize, k: usize, [y, x]: [usize; 2], [h, w]: [usize; 2]) -> f32 {
        if self.planes.is_empty() {
            return wave(n, k, [y, x]);
        }
        let size = self.side * self.side;
        let count = self.planes.len() / (size * self.channels);
        // Beyond the last picture they begin again, mirrored, then moved.
        let (picture, way) = (n % count, n / count);
        let x = if way % 2 == 1 { w - 1 - x } else { x };
        let plane = &self.planes[(picture * self.channels + k) * size..][..size];
        let at = |i: usize, of: usize| {
            let place = (i as f32 + 0.5) * self.side as f32 / of as f32 - 0.5 + (way / 2) as f32;
            place.clamp(0.0, (self.side - 1) as f32)
        };
        let (py, px) = (at(y, h), at(x, w));
        let (y0, x0) = (py as usize, px as usize);
        let (y1, x1) = ((y0 + 1).min(self.side - 1), (x0 + 1).min(self.side - 1));
        let (fy, fx) = (py - y0 as f32, px - x0 as f32);
        let value = |y: usize, x: usize| f32::from(plane[y * self.side + x]);
        let row = |y: usize| value(y, x0) * (1.0 - fx) + value(y, x1) * fx;
        (row(y0) * (1.0 - fy) + row(y1) * fy) / 63.75 - 2.0
    }
}

/// Waves of another length and colour for each picture.
fn wave(n: usize, k: usize, [y, x]: [usize; 2]) -> f32 {
    let (n, y, x) = (n as f32, y as f32, x as f32);
    ((x * (0.05 + 0.013 * (n % 29.0)) + y * 0.017 * (n % 13.0) + n * 0.7 + k as f32 * (n % 5.0)).sin()) * 1.5
}

/// The 10,000 test digits of MNIST.
fn digits() -> Vec<u8> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/mnist/t10k-images-idx3-ubyte.gz");
    let (mut bytes, packed) = (vec![], std::fs::File::open(file).expect("digits of the repository"));
    flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes).expect("digits");
    bytes.split_off(16)
}

/// The pictures of a file whose rows are a label and 3,072 pixels.
fn photos_of(file: &Path) -> Vec<u8> {
    const ROW: usize = 3073;
    let bytes = std::fs::read(file).unwrap_or_else(|cause| panic!("{PHOTOS}: {}: {cause}", file.display()));
    assert!(
        !bytes.is_empty() && bytes.len().is_multiple_of(ROW),
        "{PHOTOS}: {} is no file of CIFAR-10",
        file.display()
    );
    bytes.chunks(ROW).flat_map(|row| &row[1..]).copied().collect()
}
