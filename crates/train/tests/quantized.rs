//! Exported files in 8 bits: smaller, and almost as often right.

mod common;

use chiaro_onnx::ExportOptions;
use chiaro_train::{RunFolder, Saved, Stop, Trainer};
use common::{config, cpu, data, model};

#[test]
fn a_file_in_8_bits_is_smaller_and_almost_as_often_right() {
    let root = tempfile::tempdir().expect("a folder");
    let folder = RunFolder::create(&root.path().join("run")).expect("new");
    let (data, config) = (data(), config(4));
    let mut trainer = Trainer::new(cpu(), &model(&config, &data), &data, &config).expect("built");
    folder.write_config(&trainer.record("the CPU")).expect("written");
    trainer.fit(Some(&folder), &mut (), &Stop::default()).expect("trained");
    let saved = Saved::load(folder.path()).expect("weights");
    for raw in [false, true] {
        let bytes = saved.to_onnx(&ExportOptions { raw, ..ExportOptions::default() }).expect("written");
        let eight = saved.quantize(&bytes, raw, &*data.eval, &mut cpu()).expect("in 8 bits");
        assert!(eight.before > 0.9 && eight.after > eight.before - 0.1, "{eight:?}");
        // Measured: 0.0072.
        assert!(eight.difference > 0.0 && eight.difference < 0.05, "{}", eight.difference);
        assert_eq!((eight.calibrated, eight.judged), (data.eval.len(), data.eval.len()));
        assert!(eight.bytes.len() * 2 < bytes.len(), "{} of {} bytes", eight.bytes.len(), bytes.len());
        let file = root.path().join("eight.onnx");
        std::fs::write(&file, &eight.bytes).expect("written");
        let back = Saved::load(&file).expect("read");
        assert_eq!(back.info().classes, saved.info().classes);
    }
}
