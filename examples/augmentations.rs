//! Every random change of training images, drawn on a sheet: a row a change, the first picture of each as it is.
//!
//! `cargo run --release --example augmentations -- FOLDER SHEET.png [device] [CHANGES ...]`

use std::error::Error;
use std::path::Path;

use chiaro::data::OpenOptions;
use chiaro::graph::{Data as Values, Shared};
use chiaro::nn::{ImageInput, ImageStep, PixelInput, StepKey};
use chiaro::train::{Augmentation, Data};
use chiaro::{Backend, Device, DeviceOptions, Tensor};

/// Pictures in a row.
const COLUMNS: usize = 9;

const ROWS: &[&str] = &[
    "crop",
    "scale",
    "reflect,crop=0.3",
    "flip=1",
    "vflip=1",
    "rotate=30",
    "shear=20",
    "translate=0.2",
    "perspective=0.6",
    "brightness=0.5",
    "contrast=0.5",
    "saturation=1",
    "hue=0.2",
    "grey=1",
    "blur=1",
    "posterize=1",
    "solarize=1",
    "equalize=1",
    "rand",
    "trivial",
    "erase=1",
    "mixup=1",
    "cutmix",
    "light",
    "medium",
    "heavy",
];

/// Pictures row by row.
struct Sheet {
    /// `COLUMNS` pictures of bytes each.
    rows: Vec<Vec<u8>>,
    /// Height, width and channels of a picture.
    shape: [usize; 3],
}

/// Draws a row for each list of changes, after one without any.
fn drawn(device: &mut Shared, folder: &Path, lists: &[&str]) -> Result<Sheet, Box<dyn Error>> {
    let data = Data::open(folder, &OpenOptions { size: Some([96, 96]), limit: Some(64), ..OpenOptions::default() })?;
    let shape = data.train.image_shape();
    let packed = chiaro::data::packed(&*data.train, 0..COLUMNS.min(data.train.len()))?;
    let words = chiaro::data::packed_len(shape);
    // One picture in all columns but the last but one, which the second column is mixed with.
    let mut pixels = packed[..words].repeat(COLUMNS);
    pixels[(COLUMNS - 2) * words..(COLUMNS - 1) * words].copy_from_slice(&packed[(packed.len() / words - 1) * words..]);
    let mut made = vec![];
    for list in std::iter::once(&"none").chain(lists) {
        let augment = list.parse::<Augmentation>()?.of_images([shape[0], shape[1]]);
        let (mean, std) = (data.normalize.mean().to_vec(), data.normalize.std().to_vec());
        let input = ImageInput::Pixels(PixelInput { mean, std, augment, resident: None });
        let step = ImageStep::build(&input, COLUMNS, shape)?;
        let plan = device.compile(&step.graph)?;
        let given = Tensor::new([COLUMNS, words], Values::U32(pixels.clone())).ok_or("a batch")?;
        device.run(plan, &step.inputs(given, &StepKey::default()))?;
        let images = device.read(plan, 0)?.to_f64();
        let byte = |(i, value): (usize, &f64)| {
            let c = i % shape[2];
            let [mean, std] = [data.normalize.mean(), data.normalize.std()].map(|v| f64::from(v[c]));
            ((value * std + mean) * 255.0).round().clamp(0.0, 255.0) as u8
        };
        made.push(images.iter().enumerate().map(byte).collect());
    }
    Ok(Sheet { rows: made, shape })
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [folder, sheet, rest @ ..] = &args[..] else {
        return Err("takes a folder of pictures and the sheet to draw".into());
    };
    let name = rest.first().map_or("auto", String::as_str);
    let lists: Vec<&str> = rest.iter().skip(1).map(String::as_str).collect();
    let lists = if lists.is_empty() { ROWS } else { &lists };
    let mut device = Device::by_name(name, &DeviceOptions::default())?.share();
    let Sheet { rows, shape: [h, w, c] } = drawn(&mut device, folder.as_ref(), lists)?;
    let (mut picture, gap) = (image::RgbImage::new((COLUMNS * (w + 4)) as u32, (rows.len() * (h + 4)) as u32), 4);
    for (r, row) in rows.iter().enumerate() {
        for (i, pixel) in row.chunks_exact(c).enumerate() {
            let (column, y, x) = (i / (h * w), i / w % h, i % w);
            let at = [column * (w + gap) + x, r * (h + gap) + y].map(|v| v as u32);
            picture.put_pixel(at[0], at[1], image::Rgb([pixel[0], pixel[c / 2], pixel[c - 1]]));
        }
    }
    picture.save(sheet)?;
    println!("{sheet}: as they are, then {}", lists.join("; "));
    Ok(())
}
