//! Changed pictures beside those of torchvision (`tests/goldens/make_augment.py`), by the same numbers.

use super::colours::Colours;
use super::geometry::Matrix;
use chiaro_cpu::reference::Reference;
use chiaro_graph::{Backend, DType, Data, Edge, Graph, SampleBy, Sampling, Tensor, Tone};
use safetensors::SafeTensors;

const SIZE: [usize; 2] = [24, 20];
const MEAN: [f32; 3] = [124.0, 116.0, 104.0];

fn golden(file: &SafeTensors<'_>, name: &str) -> Vec<f64> {
    let bytes = file.tensor(name).expect("a picture").data().chunks_exact(4);
    bytes.map(|b| f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]]))).collect()
}

/// The picture from 0 to 255 after a change.
fn changed(image: &[f64], place: Matrix, colours: &Colours, tone: Tone) -> Vec<f64> {
    let mut g = Graph::new();
    let constant = |g: &mut Graph, shape: &[usize], data: Data| g.constant(Tensor::new(shape, data).expect("a shape"));
    let words = image.chunks_exact(4).map(|p| u32::from_le_bytes(std::array::from_fn(|i| p[i] as u8))).collect();
    let pixels = constant(&mut g, &[1, image.len() / 4], Data::U32(words)).expect("pixels");
    let chosen = g.full(&[1], 0.0, DType::I32).expect("a number");
    let numbers = [MEAN, [1.0; 3]].concat();
    let normalization = constant(&mut g, &[2, 3], Data::F32(numbers)).expect("means");
    let place = constant(&mut g, &[1, 3, 3], Data::I32(place.fixed().to_vec())).expect("a matrix");
    let colour = constant(&mut g, &[1, 3, 4], Data::I32(colours.fixed(3))).expect("a matrix");
    let tone = constant(&mut g, &[1, 2], Data::I32(tone.numbers().to_vec())).expect("a pair");
    let source = [SIZE[0], SIZE[1], 3];
    let tones = Some(g.tone_tables(pixels, chosen, tone, source).expect("tables"));
    let by = SampleBy { place: Some(place), colour: Some(colour), changes: None, tones };
    let sampling = Sampling { source, size: SIZE, edge: Edge::Mean };
    let y = g.sample_images(pixels, chosen, normalization, by, sampling).expect("images");
    g.output("y", y).expect("new");
    let mut reference = Reference::new();
    let plan = reference.compile(&g).expect("compiled");
    reference.run(plan, &[]).expect("a step");
    let values = reference.read(plan, 0).expect("images").to_f64();
    values.iter().enumerate().map(|(i, v)| v + f64::from(MEAN[i % 3])).collect()
}

/// Whether a pixel of the result is taken from between the image's edge and what lies outside: there torchvision weights the image's
/// share twice.
fn on_the_edge(place: Matrix, i: usize) -> bool {
    let [row, column] = place.at([(i / SIZE[1]) as f64, (i % SIZE[1]) as f64]);
    let over = |at: f64, n: usize| (-at).max(at - (n as f64 - 1.0));
    let most = over(row, SIZE[0]).max(over(column, SIZE[1]));
    most > 1e-9 && most < 1.0
}

/// Largest and mean difference, away from the edge.
fn apart(place: Matrix, a: &[f64], b: &[f64]) -> [f64; 2] {
    let inner = |(i, _): &(usize, _)| !on_the_edge(place, i / 3);
    let all: Vec<f64> = a.iter().zip(b).enumerate().filter(inner).map(|(_, (a, b))| (a - b).abs()).collect();
    assert!(all.len() > a.len() / 2);
    [all.iter().copied().fold(0.0, f64::max), all.iter().sum::<f64>() / all.len() as f64]
}

/// A picture with its outermost pixels black.
fn inside(values: &[f64]) -> Vec<f64> {
    let [h, w] = SIZE;
    let edge = |i: usize| [0, h - 1].contains(&(i / 3 / w)) || [0, w - 1].contains(&(i / 3 % w));
    values.iter().enumerate().map(|(i, v)| if edge(i) { 0.0 } else { *v }).collect()
}

#[test]
fn every_change_is_that_of_torchvision() {
    let bytes = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/goldens/augment.safetensors"));
    let bytes = bytes.expect("the pictures");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let image = golden(&file, "image");
    let (still, same) = (Matrix::IDENTITY, Tone::Same);
    // Contrast goes around the mean of all greys; a data set of this one picture has it.
    let mean: Vec<f32> =
        (0..3).map(|c| (image.iter().skip(c).step_by(3).sum::<f64>() / (480.0 * 255.0)) as f32).collect();
    let plain = Colours::new(&mean);
    let by = |change: fn(&mut Colours)| {
        let mut colours = plain;
        change(&mut colours);
        colours
    };
    let affine = |turn, shear, translate| Matrix::affine(SIZE, turn, shear, translate);
    let half = |by: f64| Matrix::shift(by, by);
    let corners = [[3.0, 2.0], [1.0, 17.0], [22.0, 4.0], [20.0, 19.0]];
    let cases = [
        ("rotate_30", affine(30.0, [0.0; 2], [0.0; 2]), plain, same),
        ("shear_across_20", affine(0.0, [0.0, 20.0], [0.0; 2]), plain, same),
        ("translate_3_right_2_down", affine(0.0, [0.0; 2], [2.0 / 24.0, 3.0 / 20.0]), plain, same),
        // torchvision counts the corners from the edges of pixels, not from their middles.
        ("perspective", half(-0.5).then(Matrix::moved_corners(SIZE, corners)).then(half(0.5)), plain, same),
        ("resized_crop", Matrix::part([0.5, 0.5], [4.0, 6.0]), plain, same),
        ("hflip", Matrix::flips(SIZE, [false, true]), plain, same),
        ("vflip", Matrix::flips(SIZE, [true, false]), plain, same),
        ("brightness_1.3", still, by(|c| c.brightness(1.3)), same),
        ("contrast_0.6", still, by(|c| c.contrast(0.6)), same),
        ("saturation_0.4", still, by(|c| c.saturation(0.4)), same),
        ("saturation_1.5", still, by(|c| c.saturation(1.5)), same),
        ("grey", still, by(|c| c.saturation(0.0)), same),
        ("posterize_4", still, plain, Tone::Posterize(4)),
        ("solarize_128", still, plain, Tone::Solarize(128)),
        ("equalize", still, plain, Tone::Equalize),
        ("autocontrast", still, plain, Tone::AutoContrast),
    ];
    for (name, place, colours, tone) in cases {
        let wanted = golden(&file, name);
        let got = changed(&image, place, &colours, tone);
        // torchvision stretches what it has cut out, whose outermost pixels have no neighbours.
        let inner = |values: &[f64]| match name {
            "resized_crop" => inside(values),
            _ => values.to_vec(),
        };
        let place = if name == "resized_crop" { still } else { place };
        let [most, mean] = apart(place, &inner(&got), &inner(&wanted));
        println!("{name}: {most:.2}, mean {mean:.3}");
        assert!(most < 2.0 && mean < 0.75, "{name}: {most} at most, {mean} in the mean");
        assert!(apart(still, &image, &wanted)[0] > 10.0, "{name} changes nothing");
    }
}
