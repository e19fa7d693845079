//! What lies inside models against PyTorch's: the features before the last layer, and Grad-CAM's maps.

mod common;

use chiaro_cpu::Cpu;
use chiaro_nn::models::by_name;
use chiaro_nn::{FeatureStep, GradCamStep, ImageInput, MapOf, NnError};
use common::golden;
use common::whole::Run;

#[test]
fn features_and_maps_are_those_of_pytorch() {
    let golden = golden("inner.safetensors");
    assert_eq!(golden.cases().len(), 7);
    for case in golden.cases() {
        let [features, map] = Run::new(&golden, case).inner(&mut Cpu::new(None).expect("threads"));
        println!("{:20} {features:.1e} {map:.1e}", case.name);
        assert!(features < 1e-5 && map < 1e-5, "{}: {features:e} {map:e}", case.name);
    }
}

#[test]
fn every_model_has_features_and_all_but_dense_ones_a_map_of_several_places() {
    for name in chiaro_nn::models::names() {
        let model = by_name(&name, 10, [64, 64, 3]).expect("a model");
        let step = FeatureStep::build(&model, 1, &ImageInput::Normalized, None).expect("features");
        assert!((16..=4096).contains(&step.features), "{name}: {}", step.features);
        match GradCamStep::build(&model, 1, &ImageInput::Normalized, MapOf::Last) {
            Ok(step) => assert!(step.size[0] * step.size[1] > 1, "{name}: {:?}", step.size),
            Err(error) => assert!(name == "mlp" && error.to_string().contains("no map of features"), "{name}: {error}"),
        }
    }
}

#[test]
fn a_layer_is_taken_by_its_name() {
    let model = by_name("resnet18", 10, [64, 64, 3]).expect("a model");
    let features = |layer| FeatureStep::build(&model, 1, &ImageInput::Normalized, Some(layer));
    assert_eq!(features("layer2.1").expect("a layer").features, 128);
    let map = GradCamStep::build(&model, 1, &ImageInput::Normalized, MapOf::Layer("layer2/1")).expect("a layer");
    assert_eq!(map.size, [8, 8]);
    // Of small images the last map has hardly any places.
    let found = [MapOf::Last, MapOf::Side(4), MapOf::Side(1000)].map(|map| {
        let step = GradCamStep::build(&model, 1, &ImageInput::Normalized, map).expect("a map");
        (step.layer, step.size)
    });
    assert_eq!(found, [("layer4.1".into(), [2, 2]), ("layer3.1".into(), [4, 4]), ("layer4.1".into(), [2, 2])]);
    let refused = |result: Result<FeatureStep, NnError>| result.expect_err("refused").to_string();
    assert!(refused(features("layer9.conv1")).contains("did you mean conv1"), "{}", refused(features("layer9.conv1")));
    let flat =
        GradCamStep::build(&model, 1, &ImageInput::Normalized, MapOf::Layer("fc")).expect_err("refused").to_string();
    assert!(flat.contains("no height and width"), "{flat}");
}
