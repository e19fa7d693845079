//! Whole models against PyTorch's, torchvision's and timm's, on the CPU.

mod common;

use chiaro_cpu::Cpu;
use common::golden;
use common::whole::Run;

#[test]
fn models_compute_and_train_as_in_pytorch() {
    let golden = golden("models.safetensors");
    assert_eq!(golden.cases().len(), 18);
    for case in golden.cases() {
        let started = std::time::Instant::now();
        let errors = Run::new(&golden, case).errors(&mut Cpu::new(None).expect("threads"), 10);
        println!("{:20} {:.1?} {errors:?}", case.name, started.elapsed());
    }
}
