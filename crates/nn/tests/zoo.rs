//! The models that torchvision and timm have too: as many parameters, and the same names and shapes.

use chiaro_nn::models::{by_name, named};
use chiaro_nn::{Model, StateKind, Summary};

/// A model's name in torchvision or timm, its parameters for 1000 classes, and the digest of its states.
const KNOWN: &[(&str, usize, u64)] = &[
    ("alexnet", 61_100_840, 0xaafd_d02a_3cfd_a67a),
    ("vgg11_bn", 132_868_840, 0xe30e_5cf1_de5b_4f1d),
    ("vgg16_bn", 138_365_992, 0xcaee_d083_dc8f_9c93),
    ("resnet18", 11_689_512, 0x7d6d_e2ea_9df6_f7c8),
    ("resnet34", 21_797_672, 0xa36e_859b_c61f_2502),
    ("resnet50", 25_557_032, 0x8dd6_3c80_eecf_8deb),
    ("densenet121", 7_978_856, 0xedc6_4a8a_adf3_95d9),
    ("mobilenet_v2", 3_504_872, 0x1f0e_1b04_4fea_5d99),
    ("mobilenet_v3_small", 2_542_856, 0x3b17_cb76_06f8_9947),
    ("mobilenet_v3_large", 5_483_032, 0x76fc_7422_61a6_fe78),
    ("squeezenet1_1", 1_235_496, 0x5f72_9c6e_0784_224c),
    ("shufflenet_v2_x1_0", 2_278_604, 0x3ce2_c1d5_fa4b_cf47),
    ("efficientnet_b0", 5_288_548, 0x3b6c_0464_6663_98fe),
    ("efficientnet_lite0", 4_652_008, 0xbe85_e098_f3fe_834b),
    ("regnet_y_400mf", 4_344_144, 0x74aa_af25_1e66_64da),
    ("convnext_tiny", 28_589_128, 0xaab1_5add_444a_798f),
    ("vit_tiny_patch16_224", 5_717_416, 0x013f_f5b6_4dee_ad9b),
    ("vit_small_patch16_224", 22_050_664, 0x83b4_11c3_792a_ed5e),
];

/// Each state on a line as PyTorch's `state_dict` has it, `conv1.weight [64, 3, 7, 7]`, in order of the alphabet.
fn states(model: &Model) -> String {
    let line = |name: &str, shape: &[usize]| match *shape {
        [o, h, w, i] => format!("{name} {:?}", [o, i, h, w]),
        _ => format!("{name} {shape:?}"),
    };
    let mut lines: Vec<String> = model.declared().states.iter().map(|s| line(&s.name, &s.shape)).collect();
    lines.sort();
    lines.join("\n")
}

/// FNV-1a, 64 bits.
fn digest(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

#[test]
fn parameters_are_as_many_as_torchvisions_and_timms() {
    for &(name, parameters, _) in KNOWN {
        let model = by_name(name, 1000, [224, 224, 3]).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(Summary::of(&model).parameters(), parameters, "{name}");
        let declared = model.declared().states.iter().filter(|s| s.kind == StateKind::Parameter);
        assert_eq!(declared.map(|s| s.shape.iter().product::<usize>()).sum::<usize>(), parameters, "{name}");
    }
}

#[test]
fn states_have_the_names_and_shapes_of_torchvisions_and_timms() {
    for &(name, _, want) in KNOWN {
        let states = states(&by_name(name, 1000, [224, 224, 3]).expect("the model fits"));
        assert_eq!(digest(&states), want, "{name} has\n{states}");
    }
}

#[test]
fn flops_of_vgg11_are_those_that_torchvision_tells() {
    // 7.61 billion multiply-adds.
    let model = by_name("vgg11", 1000, [224, 224, 3]).expect("the model fits");
    assert_eq!(Summary::of(&model).flops() / 20_000_000, 760);
}

#[test]
fn flops_of_a_transformer_hold_its_attention() {
    // timm tells 1.08 billion multiply-adds without the two products of each attention, 12 x 2 x 197 x 197 x 192.
    let model = by_name("vit-tiny", 1000, [224, 224, 3]).expect("the model fits");
    let attention = 2 * 12 * 2 * 197 * 197 * 192;
    let rest = Summary::of(&model).flops() - attention;
    assert!((2 * 1_070_000_000..2 * 1_090_000_000).contains(&rest), "{rest}");
}

#[test]
fn images_below_64_pixels_get_another_stem_which_is_told() {
    for &(name, ..) in KNOWN {
        let remark = |side| by_name(name, 10, [side, side, 3]).expect("the model fits").remark();
        assert_eq!(remark(64), None, "{name}");
        // Pooling five times leaves one pixel of 32.
        let below = if name.starts_with("vgg") { 31 } else { 63 };
        assert!(remark(below).is_some_and(|r| r.starts_with("for images below")), "{name}");
    }
    assert_eq!(by_name("resnet20", 10, [32, 32, 3]).expect("the model fits").remark(), None);
    let told = Summary::of(&by_name("resnet18", 10, [32, 32, 3]).expect("the model fits")).to_string();
    assert!(
        told.ends_with("note: for images below 64 pixels, the stem is 3x3 with stride 1 and without pooling\n"),
        "{told}"
    );
    let shape = |side| {
        let model = by_name("resnet18", 10, [side, side, 3]).expect("the model fits");
        model.declared().states[0].shape.clone()
    };
    assert_eq!((shape(63), shape(64)), (vec![64, 3, 3, 3], vec![64, 7, 7, 3]));
}

#[test]
fn models_are_found_by_the_names_of_torchvision_and_timm() {
    for (known, own) in [
        ("mobilenet_v2", "mobilenet-v2"),
        ("vit_tiny_patch16_224", "vit-tiny"),
        ("wrn28-10", "wide-resnet28-10"),
        // However they are spelt.
        ("ResNet-18", "resnet18"),
        ("vgg11-bn", "vgg11"),
        ("regnety_004", "regnet-y-400mf"),
    ] {
        assert_eq!(named(known).expect("found").name, own);
    }
}
