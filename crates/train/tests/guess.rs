//! How images were normalised that a network was trained on is found by its first norm, where its file does not tell.

mod common;

use std::sync::Arc;

use chiaro_data::{Dataset, InMemory, Normalize};
use chiaro_onnx::ExportOptions;
use chiaro_train::{Data, RunFolder, Saved, Stop, TrainConfig, Trainer, fitting_normalisation};
use common::{config, cpu, model};

/// Coloured images of 8x8 pixels.
fn coloured() -> Arc<dyn Dataset> {
    let pixel = |i: usize| ((i / 192 * 37 + i % 192 * (3 + i / 192 % 5) * 7) % 231) as u8;
    let classes = ["a", "b", "c"].map(String::from).to_vec();
    let set = InMemory::new((0..96 * 192).map(pixel).collect(), (0..96).map(|i| i % 3).collect(), [8, 8, 3], classes);
    Arc::new(set.expect("a data set"))
}

#[test]
fn the_first_norms_statistics_tell_how_images_were_normalised() {
    let root = tempfile::tempdir().expect("a folder");
    for (mean, std, words) in [(0.5, 0.5, "from -1 to 1"), (0.0, 1.0, "from 0 to 1")] {
        let mut data = Data::new(coloured(), coloured()).expect("alike");
        data.normalize = Normalize::new(vec![mean; 3], vec![std; 3]).expect("numbers");
        let config = TrainConfig { model: "resnet20".into(), lr: 1e-4, ..config(4) };
        let mut trainer = Trainer::new(cpu(), &model(&config, &data), &data, &config).expect("built");
        let folder = RunFolder::create(&root.path().join(words)).expect("new");
        folder.write_config(&trainer.record("the CPU")).expect("written");
        trainer.fit(Some(&folder), &mut (), &Stop::default()).expect("trained");
        let saved = Saved::load(folder.path()).expect("weights");
        let write = |fold: bool| {
            let path = root.path().join(format!("{fold}.onnx"));
            let options = ExportOptions { raw: true, fold, ..ExportOptions::default() };
            std::fs::write(&path, saved.to_onnx(&options).expect("written")).expect("written");
            path
        };
        let found = fitting_normalisation(&write(false), &*data.train, &mut cpu()).expect("looked at");
        assert_eq!(found.map(|(normalize, words)| (normalize.mean()[0], words)), Some((mean, words)));
        // Without a norm nothing tells.
        assert!(fitting_normalisation(&write(true), &*data.train, &mut cpu()).expect("looked at").is_none());
    }
}
