//! Random crops and mirror images on every backend against the scalar definition, written here once more.

mod support;

use chiaro::cpu::reference::Reference;
use chiaro::data::Normalize;
use chiaro::graph::{Data, Edge, random_words};
use chiaro::nn::{
    Augment, Classification, EvalStep, Flatten, Flip, ImageInput, ImageStep, Linear, Model, PARAMS, PixelInput, Policy,
    Resident, Sequential, Sgd, StepKey, TrainOptions, TrainStep, Views, arena_id, data_arena, pack_arena,
};
use chiaro::{Backend, Tensor};

const STORED: usize = 11;
const BATCH: usize = 16;
const SEED: u64 = 0x1234_5678_9abc_def0;
const STEPS: u64 = 4;
const SHAPES: [[usize; 3]; 4] = [[5, 7, 3], [9, 4, 1], [3, 3, 2], [8, 8, 3]];

/// Pixel `i` of image `image`.
fn pixel(image: usize, i: usize) -> u8 {
    (image * 37 + i * 101 + i * i % 13) as u8
}

/// The whole set packed: little-endian words, each image filled up to a word.
fn packed(shape: [usize; 3]) -> Vec<u32> {
    let len: usize = shape.iter().product();
    let word = |image: usize, at: usize| {
        let byte = |i: usize| if i < len { u32::from(pixel(image, i)) << (8 * (i - at)) } else { 0 };
        (at..at + 4).map(byte).sum::<u32>()
    };
    (0..STORED).flat_map(|image| (0..len).step_by(4).map(move |at| word(image, at))).collect()
}

fn normalize(channels: usize) -> Normalize {
    let numbers = |first: f32| (0..channels).map(|c| first + 0.1 * c as f32).collect();
    Normalize::new(numbers(0.4), numbers(0.2)).expect("three positive deviations")
}

/// The images that a step takes.
fn index(step: u64) -> Vec<usize> {
    (0..BATCH).map(|n| (n * 5 + 3 * step as usize) % STORED).collect()
}

/// How image `n` of a step is moved: rows, columns, mirrored. Three random numbers an image.
fn moved(augment: Augment, step: u64, n: usize) -> (i64, i64, bool) {
    let words = random_words([SEED as u32, (SEED >> 32) as u32, step as u32], u32::MAX, 32 * n as u32);
    let number = |k: usize| f64::from(words[k]) / 2f64.powi(32);
    let shift = |u: f64| (u * (2 * augment.crop + 1) as f64) as i64 - augment.crop as i64;
    (shift(number(0)), shift(number(1)), augment.flip != Flip::Never && number(2) < 0.5)
}

/// The images of a step with the moves of a step, one number after the other: pad by the mean, crop, mirror, normalise.
fn expected(shape: [usize; 3], augment: Augment, step: u64, moves: u64) -> Vec<f32> {
    let [h, w, c] = shape;
    let normalize = normalize(c);
    let mut out = vec![];
    for (n, image) in index(step).into_iter().enumerate() {
        let (rows, columns, mirrored) = moved(augment, moves, n);
        for (y, x, channel) in (0..h * w * c).map(|i| (i / (w * c), i / c % w, i % c)) {
            let x = if mirrored { w - 1 - x } else { x };
            let (row, column) = (y as i64 + rows, x as i64 + columns);
            let inside = (0..h as i64).contains(&row) && (0..w as i64).contains(&column);
            let value = || {
                let at = (row as usize * w + column as usize) * c + channel;
                (f32::from(pixel(image, at)) / 255.0 - normalize.mean()[channel]) / normalize.std()[channel]
            };
            out.push(if inside { value() } else { 0.0 });
        }
    }
    out
}

/// A model whose logits are the numbers of its image: a dense layer with the identity as its weight.
fn shown(shape: [usize; 3]) -> Model {
    let len = shape.iter().product();
    let layers = Sequential::new().push(Flatten).named("fc", Linear::new(len));
    Model::new("shown", shape, len, layers).expect("the layers fit")
}

fn input(shape: [usize; 3], augment: Augment, resident: bool) -> ImageInput {
    let normalize = normalize(shape[2]);
    let (mean, std) = (normalize.mean().to_vec(), normalize.std().to_vec());
    let resident = resident.then(|| Resident { arena: data_arena("shown"), images: STORED });
    ImageInput::Pixels(PixelInput { mean, std, augment, resident })
}

/// The first input of a step: numbers, or the rows that they name.
fn given(shape: [usize; 3], step: u64, resident: bool) -> Tensor {
    let index = index(step);
    if resident {
        let index = index.into_iter().map(|i| i as i32).collect();
        return Tensor::i32([BATCH], index).expect("as many numbers");
    }
    let all = packed(shape);
    let words = all.len() / STORED;
    let rows = index.into_iter().flat_map(|i| &all[i * words..(i + 1) * words]).copied().collect();
    Tensor::new([BATCH, words], Data::U32(rows)).expect("as many words")
}

fn fill(backend: &mut dyn Backend, graph: &chiaro::Graph, shape: [usize; 3]) {
    let len: usize = shape.iter().product();
    let mut identity = vec![0.0; len * len];
    (0..len).for_each(|i| identity[i * len + i] = 1.0);
    let weight = Tensor::f32([len, len], identity).expect("a square");
    let bias = Tensor::f32([len], vec![0.0; len]).expect("a vector");
    let value = |name: &str| Some(if name.ends_with("weight") { &weight } else { &bias });
    backend.write_arena(PARAMS, &pack_arena(graph, PARAMS, value).expect("both")).expect("written");
    let name = data_arena("shown");
    if arena_id(graph, &name).is_some() {
        let words = packed(shape);
        // In two parts, which meet where no image begins.
        let (first, second) = words.split_at(words.len() / 2 + 1);
        for (at, part) in [(0, first), (first.len(), second)] {
            let part = Tensor::new([part.len()], Data::U32(part.to_vec())).expect("a vector");
            backend.write_arena_part(&name, at, &part).expect("written");
        }
    }
}

/// The images that a training step sees, step by step.
fn trained_on(backend: &mut dyn Backend, shape: [usize; 3], augment: Augment, resident: bool) -> Vec<Vec<f64>> {
    let sgd = Sgd::default();
    let images = input(shape, augment, resident);
    let options = TrainOptions { images, output_logits: true, ..TrainOptions::new(BATCH, sgd) };
    let step = TrainStep::build(&shown(shape), options).expect("recorded");
    let plan = backend.compile(&step.graph).expect("compiled");
    fill(backend, &step.graph, shape);
    let labels = Tensor::i32([BATCH], vec![0; BATCH]).expect("labels");
    let one = |s: u64| {
        let inputs = step.inputs(given(shape, s, resident), labels.clone(), SEED, s, 0.0);
        backend.run(plan, &inputs).expect("a step");
        backend.read(plan, 1).expect("logits").to_f64()
    };
    (0..STEPS).map(one).collect()
}

fn largest_difference(got: &[f64], want: &[f32]) -> f64 {
    assert_eq!(got.len(), want.len());
    got.iter().zip(want).map(|(a, b)| (a - f64::from(*b)).abs()).fold(0.0, f64::max)
}

/// Values are up to 5 in size; measured: 4.8e-7 on every backend.
const NEAR: f64 = 2e-6;

fn images_are_as_defined(new: impl Fn() -> Option<Box<dyn Backend>>) {
    let all = [(0, false), (0, true), (2, false), (2, true)].map(|(crop, flip)| {
        let flip = if flip { Flip::Random(0.5) } else { Flip::Never };
        Augment { crop, flip, ..Augment::default() }
    });
    for shape in SHAPES {
        let Some(mut backend) = new() else { return };
        for (augment, resident) in all.into_iter().flat_map(|a| [true, false].map(|r| (a, r))) {
            for (s, images) in (0..).zip(trained_on(&mut *backend, shape, augment, resident)) {
                let worst = largest_difference(&images, &expected(shape, augment, s, s));
                assert!(worst < NEAR, "{shape:?} {augment:?}, resident: {resident}, step {s}: {worst:e}");
                if augment != Augment::default() {
                    // The control: not moved, or moved as in another step, the same images are far away.
                    for control in [expected(shape, Augment::default(), s, s), expected(shape, augment, s, s + 1)] {
                        assert!(largest_difference(&images, &control) > 0.1, "{shape:?} {augment:?} does nothing");
                    }
                }
            }
        }
    }
}

#[test]
fn moves_reach_their_whole_range() {
    let augment = Augment { crop: 2, flip: Flip::Random(0.5), ..Augment::default() };
    let all: Vec<_> = (0..40).flat_map(|s| (0..BATCH).map(move |n| moved(augment, s, n))).collect();
    for shift in -2..=2 {
        let share =
            |hit: &dyn Fn(&(i64, i64, bool)) -> bool| all.iter().filter(|m| hit(m)).count() as f64 / all.len() as f64;
        assert!((share(&|m| m.0 == shift) - 0.2).abs() < 0.05 && (share(&|m| m.1 == shift) - 0.2).abs() < 0.05);
        assert!((share(&|m| m.2) - 0.5).abs() < 0.06);
    }
    assert!(all.iter().all(|m| m.0.abs() <= 2 && m.1.abs() <= 2));
}

#[test]
fn images_are_as_defined_on_the_reference() {
    images_are_as_defined(|| Some(Box::new(Reference::new())));
}

#[test]
fn images_are_as_defined_on_the_cpu() {
    images_are_as_defined(|| Some(Box::new(support::cpu())));
}

#[test]
fn images_are_as_defined_on_the_gpu() {
    images_are_as_defined(|| Some(Box::new(support::gpu()?)));
}

#[test]
fn evaluation_changes_nothing_at_random() {
    let shape = SHAPES[0];
    let augment = Augment { crop: 2, flip: Flip::Random(0.5), ..Augment::default() };
    let resident = Resident { arena: data_arena("shown"), images: STORED };
    let input = input(shape, augment, false).evaluating(Some(resident));
    let step = EvalStep::with_input(&shown(shape), BATCH, &input, &Classification::default()).expect("recorded");
    let mut backend = support::cpu();
    let plan = backend.compile(&step.graph).expect("compiled");
    fill(&mut backend, &step.graph, shape);
    let labels = Tensor::i32([BATCH], vec![0; BATCH]).expect("labels");
    backend.run(plan, &[given(shape, 3, true), labels]).expect("a step");
    let images = backend.read(plan, 0).expect("logits").to_f64();
    assert!(largest_difference(&images, &expected(shape, Augment::default(), 3, 3)) < NEAR);
}

#[test]
fn inputs_that_do_not_fit_the_images_are_refused() {
    let build = |images: ImageInput| {
        let sgd = Sgd::default();
        TrainStep::build(&shown([4, 4, 3]), TrainOptions { images, ..TrainOptions::new(BATCH, sgd) }).err()
    };
    assert!(
        build(input([4, 4, 3], Augment { crop: 3, flip: Flip::Random(0.5), ..Augment::default() }, true)).is_none()
    );
    let error = build(input([4, 4, 3], Augment { crop: 4, ..Augment::default() }, true)).expect("too far").to_string();
    assert!(error.contains("4 pixels") && error.contains("4x4"), "{error}");
    let error = build(input([4, 4, 1], Augment::default(), false)).expect("channels").to_string();
    assert!(error.contains("3 channels"), "{error}");
}

#[test]
fn sampled_images_have_the_same_bits_on_the_cpu_and_the_gpu() {
    let Some(mut gpu) = support::gpu() else { return };
    let mut cpu = support::cpu();
    let mut between = 0;
    for case in chiaro_check::cases().iter().filter(|case| case.family() == "sample_images") {
        let graph = case.forward().expect("a graph");
        let [on_cpu, on_gpu] = [&mut cpu as &mut dyn Backend, &mut gpu].map(|backend| {
            let plan = backend.compile(&graph).expect("compiled");
            backend.run(plan, &case.values()).expect("a step");
            backend.read(plan, 0).expect("images").to_f64()
        });
        assert!(on_cpu == on_gpu, "{}", case.name);
        between += usize::from(case.name.contains("turned"));
    }
    assert!(between > 5, "{between} cases between pixels");
}

/// The same images seen through every change at once.
fn seen(backend: &mut dyn Backend, augment: Augment, shape: [usize; 3], step: u64) -> Vec<f64> {
    let images = ImageStep::build(&input(shape, augment, false), BATCH, shape).expect("recorded");
    let plan = backend.compile(&images.graph).expect("compiled");
    let rows = index(step);
    let key = StepKey { seed: SEED, step, epoch: 1, rows: &rows };
    backend.run(plan, &images.inputs(given(shape, 0, false), &key)).expect("a step");
    backend.read(plan, 0).expect("images").to_f64()
}

fn everything() -> Augment {
    Augment {
        crop: 1,
        edge: Edge::Reflect,
        resized_crop: Some(0.4),
        flip: Flip::Alternating,
        vertical_flip: 0.3,
        rotate: 20.0,
        shear: 10.0,
        translate: 0.1,
        perspective: 0.2,
        brightness: 0.3,
        contrast: 0.3,
        saturation: 0.5,
        hue: 0.1,
        grey: 0.2,
        blur: 0.5,
        posterize: 0.2,
        solarize: 0.2,
        equalize: 0.3,
        policy: Policy::Rand { changes: 2, magnitude: 15.0 },
        erase: 0.3,
        mixup: 0.4,
        cutmix: 1.0,
        mixed: 1.0,
    }
}

#[test]
fn every_change_at_once_gives_the_same_bits_on_the_cpu_and_the_gpu_and_others_in_the_next_step() {
    let shape = [9, 12, 3];
    let mut cpu = support::cpu();
    let of = |backend: &mut dyn Backend, step| seen(backend, everything(), shape, step);
    let (first, second) = (of(&mut cpu, 0), of(&mut cpu, 1));
    assert!(first != second && first == of(&mut cpu, 0));
    let Some(mut gpu) = support::gpu() else { return };
    assert!(first == of(&mut gpu, 0) && second == of(&mut gpu, 1));
}

#[test]
fn alternating_mirrors_each_image_in_every_second_epoch() {
    let (shape, mut cpu) = ([5, 7, 1], support::cpu());
    let augment = Augment { flip: Flip::Alternating, ..Augment::default() };
    let images = ImageStep::build(&input(shape, augment, false), BATCH, shape).expect("recorded");
    let plan = cpu.compile(&images.graph).expect("compiled");
    let rows: Vec<usize> = (100..100 + BATCH).collect();
    let mut of = |epoch, step| {
        let key = StepKey { seed: SEED, step, epoch, rows: &rows };
        cpu.run(plan, &images.inputs(given(shape, 0, false), &key)).expect("a step");
        cpu.read(plan, 0).expect("images").to_f64()
    };
    let epochs: Vec<Vec<f64>> = (0..4).map(|epoch| of(epoch, 10 * epoch)).collect();
    assert!(epochs[0] == epochs[2] && epochs[1] == epochs[3]);
    let mirrored: Vec<f64> = epochs[0].chunks(7).flat_map(|row| row.iter().rev().copied()).collect();
    assert!(epochs[1] == mirrored, "every image is mirrored in the next epoch");
    let len = 5 * 7;
    let plain = seen(&mut cpu, Augment::default(), shape, 0);
    let kept = (0..BATCH).filter(|n| epochs[0][n * len..][..len] == plain[n * len..][..len]).count();
    assert!((3..BATCH - 2).contains(&kept), "{kept} of {BATCH} as they are in the first epoch");
}

#[test]
fn mixed_images_have_the_shares_of_both_losses() {
    let shape = [4, 4, 1];
    let of = |augment: Augment| {
        let images = input(shape, augment, false);
        let step = TrainStep::build(&shown(shape), TrainOptions { images, ..TrainOptions::new(BATCH, Sgd::default()) });
        let (step, mut cpu) = (step.expect("recorded"), support::cpu());
        let plan = cpu.compile(&step.graph).expect("compiled");
        fill(&mut cpu, &step.graph, shape);
        let labels = Tensor::i32([BATCH], (0..BATCH as i32).collect()).expect("labels");
        cpu.run(plan, &step.inputs(given(shape, 0, false), labels, SEED, 0, 0.0)).expect("a step");
        (cpu.read(plan, 0).expect("the loss").to_f64()[0], seen(&mut cpu, augment, shape, 0))
    };
    let (mixup, images) = of(Augment { mixup: 1.0, ..Augment::default() });
    let (plain, whole) = of(Augment::default());
    // The share, as the pixels tell it: every image is mixed with the one that stands opposite.
    let opposite = |i: usize| whole[(BATCH - 1 - i / 16) * 16 + i % 16];
    let own = (0..whole.len()).find_map(|i| {
        let difference = whole[i] - opposite(i);
        (difference.abs() > 1.0).then(|| (images[i] - opposite(i)) / difference)
    });
    let own = own.expect("images that differ");
    assert!((0.02..0.98).contains(&own), "{own}");
    let entropy = |label: &dyn Fn(usize) -> usize| {
        let of = |n: usize| {
            let row = &images[n * 16..][..16];
            row.iter().map(|v| v.exp()).sum::<f64>().ln() - row[label(n)]
        };
        (0..BATCH).map(of).sum::<f64>() / BATCH as f64
    };
    let wanted = own * entropy(&|n| n) + (1.0 - own) * entropy(&|n| BATCH - 1 - n);
    assert!((mixup - wanted).abs() < 1e-3, "{mixup} {wanted}");
    assert!((plain - mixup).abs() > 1e-2, "the control: {plain} without mixing");
}

#[test]
fn averaged_views_are_the_weighted_mean_of_what_the_model_says_of_each() {
    let (shape, mut cpu) = ([5, 7, 1], support::cpu());
    let len = 5 * 7;
    let mut of = |views: Views| {
        let images = input(shape, Augment::default(), false);
        let step = EvalStep::with_views(&shown(shape), BATCH, &images, &Classification::default(), views);
        let step = step.expect("recorded");
        let plan = cpu.compile(&step.graph).expect("compiled");
        fill(&mut cpu, &step.graph, shape);
        let labels = Tensor::i32([BATCH], vec![0; BATCH]).expect("labels");
        cpu.run(plan, &[given(shape, 0, false), labels]).expect("a step");
        cpu.read(plan, 0).expect("logits").to_f64()
    };
    // The model shows its image, so that its outputs are pixels.
    let [one, mirrored, shifted] = [Views::One, Views::Mirrored, Views::Shifted].map(&mut of);
    let pixel = |n: usize, row: isize, column: isize| {
        let inside = (0..5).contains(&row) && (0..7).contains(&column);
        if inside { one[n * len + row as usize * 7 + column as usize] } else { 0.0 }
    };
    for (i, (mirrored, shifted)) in mirrored.iter().zip(shifted).enumerate() {
        let (n, row, column) = (i / len, (i % len / 7) as isize, (i % 7) as isize);
        let both = |by: isize| (pixel(n, row + by, column + by) + pixel(n, row + by, 6 - column + by)) / 2.0;
        assert!((mirrored - both(0)).abs() < 1e-5, "{mirrored} {}", both(0));
        let wanted = 0.5 * both(0) + 0.25 * (both(1) + both(-1));
        assert!((shifted - wanted).abs() < 1e-5, "{shifted} {wanted}");
    }
}
