//! Whole models on the GPU against PyTorch's: forward and gradients of those that between them have every layer of the new models.

#[path = "../crates/nn/tests/common/mod.rs"]
mod common;
mod support;

use common::golden;
use common::whole::Run;

/// Depthwise, grouped and strided convolutions, squeeze-and-excitation, shuffled and joined channels, attention, layer norm and
/// scale.
const MODELS: [&str; 5] = ["mobilenet-v3-small", "shufflenet-v2", "regnet-y-400mf", "convnext-tiny", "vit-tiny"];

#[test]
fn models_on_the_gpu_compute_as_in_pytorch() {
    let golden = golden("models.safetensors");
    for name in MODELS {
        let Some(mut gpu) = support::gpu() else { return };
        let case = golden.cases().iter().find(|case| case.name == name).expect("a case");
        let errors = Run::new(&golden, case).errors(&mut gpu, 1);
        println!("{name:20} {errors:?}");
        assert!(errors.logits < 1e-5 && errors.first_loss < 3e-5, "{name}: {errors:?}");
        // What norms of few values make of rounding there: crates/nn/tests/whole_models.rs.
        assert!(errors.gradients < 3e-4 || name == "shufflenet-v2", "{name}: {errors:?}");
    }
}

#[test]
fn features_and_maps_of_grad_cam_on_the_gpu_are_those_of_pytorch() {
    let golden = golden("inner.safetensors");
    for name in ["resnet18", "squeezenet", "vit-tiny"] {
        let Some(mut gpu) = support::gpu() else { return };
        let case = golden.cases().iter().find(|case| case.name == name).expect("a case");
        let [features, map] = Run::new(&golden, case).inner(&mut gpu);
        println!("{name:20} {features:.1e} {map:.1e}");
        assert!(features < 1e-5 && map < 3e-5, "{name}: {features:e} {map:e}");
    }
}
