//! The loader: order, content, faults, and threads that end.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chiaro_data::{Batch, DataError, Dataset, InMemory, Loader, LoaderOptions, Normalize, shuffled};

/// `len` images of 2x2x3 pixels; all pixels of image i are i, its label i % 7.
fn numbered(len: usize) -> Arc<InMemory> {
    let pixels = (0..len).flat_map(|i| [i as u8; 12]).collect();
    let labels = (0..len as u32).map(|i| i % 7).collect();
    let classes = (0..7).map(|i| i.to_string()).collect();
    Arc::new(InMemory::new(pixels, labels, [2, 2, 3], classes).unwrap())
}

fn with_threads(mut options: LoaderOptions, threads: usize) -> LoaderOptions {
    options.threads = Some(threads);
    options
}

fn epoch(loader: &Loader, epoch: u64) -> Vec<Batch> {
    loader.epoch(epoch, 0).unwrap().map(Result::unwrap).collect()
}

fn indices(batches: &[Batch]) -> Vec<usize> {
    let valid = batches.iter().flat_map(|b| &b.indices[..b.valid]);
    valid.copied().collect()
}

#[test]
fn evaluation_gives_every_image_once_and_fills_the_last_batch() {
    let loader = Loader::new(numbered(10), LoaderOptions::evaluation(4)).unwrap();
    assert_eq!(loader.batches(), 3);
    let running = loader.epoch(0, 0).unwrap();
    assert_eq!(running.len(), 3);
    let batches: Vec<Batch> = running.map(Result::unwrap).collect();
    assert_eq!(indices(&batches), (0..10).collect::<Vec<_>>());
    let last = &batches[2];
    assert_eq!(last.valid, 2);
    assert_eq!(last.indices, [8, 9, 9, 9]);
    assert_eq!(last.labels, [1, 2, 2, 2]);
    assert_eq!(last.pixels.len(), 4 * 3);
    for (words, &index) in last.pixels.chunks_exact(3).zip(&last.indices) {
        assert_eq!(words, [index as u32 * 0x0101_0101; 3]);
    }
}

#[test]
fn images_that_do_not_fill_their_last_word_begin_a_word_each() {
    let pixels = (0..30).collect();
    let set = InMemory::new(pixels, vec![0; 2], [5, 1, 3], vec!["only".into()]).unwrap();
    let loader = Loader::new(Arc::new(set), LoaderOptions::evaluation(2)).unwrap();
    let batches = epoch(&loader, 0);
    let bytes: Vec<u8> = batches[0].pixels.iter().flat_map(|word| word.to_le_bytes()).collect();
    let expected: Vec<u8> = (0..15).chain([0]).chain(15..30).chain([0]).collect();
    assert_eq!(bytes, expected);
    assert_eq!(chiaro_data::packed(&**loader.dataset(), 0..2).unwrap(), batches[0].pixels);
    assert_eq!(chiaro_data::packed(&**loader.dataset(), 1..2).unwrap(), batches[0].pixels[4..]);
    assert!(chiaro_data::packed(&**loader.dataset(), 1..3).is_err());
}

#[test]
fn an_epoch_goes_on_where_it_is_told_to() {
    let loader = Loader::new(numbered(50), LoaderOptions::training(8, 3)).unwrap();
    let whole = indices(&epoch(&loader, 4));
    for first in [0, 1, 5] {
        let rest: Vec<Batch> = loader.epoch(4, first).unwrap().map(Result::unwrap).collect();
        assert_eq!(indices(&rest), whole[8 * first..]);
    }
    assert_eq!(loader.epoch(4, 6).unwrap().count(), 0);
    assert_eq!(loader.epoch(4, 9).unwrap().len(), 0);
}

#[test]
fn training_is_shuffled_by_seed_and_epoch_and_drops_the_rest() {
    let loader = Loader::new(numbered(50), LoaderOptions::training(8, 3)).unwrap();
    assert_eq!(loader.batches(), 6);
    for number in [0, 1, 5] {
        let batches = epoch(&loader, number);
        assert!(batches.iter().all(|batch| batch.valid == 8));
        assert_eq!(indices(&batches), shuffled(50, 3, number)[..48]);
    }
    assert_ne!(shuffled(50, 3, 0), shuffled(50, 3, 1));
}

#[test]
fn any_number_of_threads_gives_the_same_batches() {
    let expected = {
        let options = with_threads(LoaderOptions::training(8, 11), 1);
        epoch(&Loader::new(numbered(200), options).unwrap(), 2)
    };
    for threads in [2, 3, 8] {
        let mut options = with_threads(LoaderOptions::training(8, 11), threads);
        options.queue = 1;
        let loader = Loader::new(numbered(200), options).unwrap();
        let batches = epoch(&loader, 2);
        assert_eq!(batches.len(), expected.len());
        for (a, b) in batches.iter().zip(&expected) {
            assert_eq!((&a.indices, &a.labels, &a.pixels), (&b.indices, &b.labels, &b.pixels));
        }
    }
}

/// Counts what is asked of it; image `bad` fails or panics.
struct Faulty {
    inner: Arc<InMemory>,
    asked: AtomicUsize,
    bad: Option<usize>,
    panics: bool,
}

impl Faulty {
    fn new(len: usize, bad: Option<usize>, panics: bool) -> Arc<Self> {
        Arc::new(Self { inner: numbered(len), asked: AtomicUsize::new(0), bad, panics })
    }
}

impl Dataset for Faulty {
    fn len(&self) -> usize {
        self.inner.len()
    }
    fn image_shape(&self) -> [usize; 3] {
        self.inner.image_shape()
    }
    fn classes(&self) -> &[String] {
        self.inner.classes()
    }
    fn label(&self, index: usize) -> u32 {
        self.inner.label(index)
    }
    fn write_image(&self, index: usize, out: &mut [u8]) -> Result<(), DataError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.bad == Some(index) {
            assert!(!self.panics, "image {index} is cursed");
            let path = format!("{index}.jpg").into();
            return Err(DataError::Missing { path });
        }
        self.inner.write_image(index, out)
    }
}

#[test]
fn a_fault_arrives_in_its_place_and_ends_the_epoch() {
    for (threads, panics) in [(1, false), (3, false), (1, true), (3, true)] {
        let set = Faulty::new(40, Some(13), panics);
        let options = with_threads(LoaderOptions::evaluation(4), threads);
        let loader = Loader::new(set, options).unwrap();
        let mut running = loader.epoch(0, 0).unwrap();
        for first in [0, 4, 8] {
            assert_eq!(running.next().unwrap().unwrap().indices[0], first);
        }
        let error = running.next().unwrap().unwrap_err();
        match error {
            DataError::WorkerPanicked { cause } if panics => assert_eq!(cause, "image 13 is cursed"),
            DataError::Missing { path } if !panics => assert_eq!(path.to_str(), Some("13.jpg")),
            other => panic!("{other}"),
        }
        assert!(running.next().is_none());
        assert_eq!(running.len(), 0);
    }
}

#[test]
fn the_queue_bounds_the_work_ahead_and_dropping_an_epoch_ends_its_threads() {
    let set = Faulty::new(200, None, false);
    let mut options = with_threads(LoaderOptions::evaluation(2), 3);
    options.queue = 4;
    let loader = Loader::new(set.clone(), options).unwrap();
    let holders = Arc::strong_count(&set);
    let mut running = loader.epoch(0, 0).unwrap();
    let taken: Vec<Batch> = running.by_ref().take(5).map(Result::unwrap).collect();
    drop(running);
    // The threads held the set; they are joined, not merely told to end.
    assert_eq!(Arc::strong_count(&set), holders);
    let asked = set.asked.load(Ordering::Relaxed);
    assert!((10..=(5 + 4 + 3) * 2).contains(&asked), "{asked} images made");
    assert_eq!(indices(&taken), (0..10).collect::<Vec<_>>());
}

#[test]
fn an_epoch_that_nobody_reads_ends_when_dropped() {
    let set = numbered(100);
    let options = with_threads(LoaderOptions::training(3, 1), 4);
    let loader = Loader::new(set.clone(), options).unwrap();
    let holders = Arc::strong_count(&set);
    for number in 0..50 {
        drop(loader.epoch(number, 0).unwrap());
        assert_eq!(Arc::strong_count(&set), holders);
    }
}

#[test]
fn batches_outlive_epoch_and_loader_and_may_be_taken_apart() {
    let loader = Loader::new(numbered(9), LoaderOptions::evaluation(3)).unwrap();
    let mut batches = epoch(&loader, 0);
    let pixels = std::mem::take(&mut batches[0].pixels);
    assert_eq!(pixels.len(), 9);
    batches[1].labels.push(1);
    batches.truncate(1);
    drop(batches);
    // What was taken apart must not come back as a batch.
    let mut batches = epoch(&loader, 1);
    assert!(batches.iter().all(|b| b.pixels.len() == 9 && b.labels.len() == 3));
    drop(loader);
    assert_eq!(batches.remove(2).indices, [6, 7, 8]);
}

#[test]
fn options_that_cannot_work_are_refused() {
    let good = LoaderOptions::training(4, 0);
    let refused = |set: Arc<InMemory>, options: &LoaderOptions| {
        let error = Loader::new(set, options.clone()).err();
        assert!(matches!(error, Some(DataError::Invalid { .. })), "{options:?}");
    };
    refused(numbered(9), &LoaderOptions { batch_size: 0, ..good.clone() });
    refused(numbered(9), &LoaderOptions { queue: 0, ..good.clone() });
    refused(numbered(9), &with_threads(good.clone(), 0));
    refused(numbered(3), &good);
    refused(numbered(0), &LoaderOptions::evaluation(4));
    Loader::new(numbered(4), good).unwrap();
}

#[test]
fn sets_and_normalisations_that_make_no_sense_are_refused() {
    let classes = vec!["only".to_string()];
    assert!(InMemory::new(vec![0; 5], vec![0], [2, 2, 1], classes.clone()).is_err());
    let error = InMemory::new(vec![0; 4], vec![1], [2, 2, 1], classes).unwrap_err();
    assert!(matches!(error, DataError::LabelOutOfRange { label: 1, .. }));
    for (mean, std) in
        [(vec![], vec![]), (vec![0.0], vec![0.0]), (vec![0.0], vec![1.0, 1.0]), (vec![f32::NAN], vec![1.0])]
    {
        assert!(Normalize::new(mean.clone(), std.clone()).is_err(), "{mean:?} {std:?}");
    }
}

#[test]
fn measuring_finds_mean_and_deviation_of_each_channel() {
    let pixels = vec![0, 10, 7, 255, 30, 7, 0, 10, 7, 255, 30, 7];
    let set = InMemory::new(pixels, vec![0, 0], [2, 1, 3], vec!["x".into()]).unwrap();
    let normalize = Normalize::measure(&set).unwrap();
    let near = |a: &[f32], b: [f32; 3]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-7);
    assert!(near(normalize.mean(), [0.5, 20.0 / 255.0, 7.0 / 255.0]), "{normalize:?}");
    // The last channel is constant: its deviation would be 0.
    assert!(near(normalize.std(), [0.5, 10.0 / 255.0, 1.0]), "{normalize:?}");
    let mut out = [0.0; 6];
    normalize.apply(&[0, 10, 7, 255, 30, 7], &mut out);
    let expected = [-1.0, -1.0, 0.0, 1.0, 1.0, 0.0];
    assert!(out.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{out:?}");
    assert!(Normalize::measure(&*numbered(0)).is_err());
}

#[test]
fn normalising_treats_every_number_of_channels_alike() {
    for channels in 1..=5usize {
        let mean: Vec<f32> = (0..channels).map(|c| 0.1 * c as f32).collect();
        let std: Vec<f32> = (0..channels).map(|c| 0.5 + c as f32).collect();
        let pixels: Vec<u8> = (0..channels * 8).map(|i| (i * 31) as u8).collect();
        let mut out = vec![0.0; pixels.len()];
        Normalize::new(mean.clone(), std.clone()).unwrap().apply(&pixels, &mut out);
        for (i, (&pixel, out)) in pixels.iter().zip(out).enumerate() {
            let c = i % channels;
            let expected = (f32::from(pixel) / 255.0 - mean[c]) / std[c];
            assert!((out - expected).abs() < 1e-6, "channel {c} of {channels}");
        }
    }
}
