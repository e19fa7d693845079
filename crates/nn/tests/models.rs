//! The models: what they hold, what they cost, what they accept.

use std::sync::Arc;

use chiaro_graph::{DType, Graph, Var};
use chiaro_nn::models::{by_name, names};
use chiaro_nn::{
    Activation, BatchNorm2d, Classification, Context, Conv2d, Declare, EvalStep, Flatten, GlobalAvgPool, Linear, Mode,
    Model, Module, NnError, Sequential, Sgd, SqueezeExcite, StateKind, Summary, TrainOptions, TrainStep, clip_by_norm,
};

fn summary(name: &str, image: [usize; 3]) -> Summary {
    Summary::of(&by_name(name, 10, image).expect("the model fits"))
}

#[test]
fn parameter_counts_are_those_of_the_literature() {
    let cases = [
        ("lenet5", [28, 28, 1], 61_706),
        ("lenet5", [32, 32, 1], 61_706),
        ("mnist-cnn", [28, 28, 1], 1_199_882),
        ("tutorial-cnn", [64, 64, 3], 1_626_442),
        ("mlp", [28, 28, 1], 669_706),
        ("resnet20", [32, 32, 3], 272_474),
        ("resnet56", [32, 32, 3], 855_770),
        ("wide-resnet28-10", [32, 32, 3], 36_479_194),
        // With its whitening filters and the norms' scales, which are not trained, 1,972,792.
        ("airbench94", [32, 32, 3], 1_972_792 - 24 * 12 - 2 * (64 + 256 + 256)),
        ("resnet18", [32, 32, 3], 11_173_962),
        ("small-cnn", [28, 28, 1], 16 * 9 + 32 * 144 + 64 * 288 + 2 * (16 + 32 + 64) + 576 * 10 + 10),
    ];
    for (name, image, want) in cases {
        assert_eq!(summary(name, image).parameters(), want, "{name}");
    }
}

#[test]
fn flops_are_two_for_each_multiply_add() {
    let lenet = 117_600 + 240_000 + 48_000 + 10_080 + 840;
    assert_eq!(summary("lenet5", [28, 28, 1]).flops(), 2 * lenet);
    let tutorial = 62 * 62 * 32 * 27 + 29 * 29 * 64 * 288 + 12_544 * 128 + 1_280;
    assert_eq!(summary("tutorial-cnn", [64, 64, 3]).flops(), 2 * tutorial);
    let small = 28 * 28 * 16 * 9 + 14 * 14 * 32 * 144 + 7 * 7 * 64 * 288 + 5_760;
    assert_eq!(summary("small-cnn", [28, 28, 1]).flops(), 2 * small);
    // 0.56 billion multiply-adds is the figure commonly given for this network.
    assert_eq!(summary("resnet18", [32, 32, 3]).flops(), 2 * 555_422_720);
}

#[test]
fn the_summary_shows_each_layer_once_with_its_output() {
    let summary = summary("tutorial-cnn", [64, 64, 3]);
    let outputs: Vec<(&str, &[usize])> = summary.rows.iter().map(|r| (r.path.as_str(), &r.output[..])).collect();
    let want: [(&str, &[usize]); 7] = [
        ("conv1", &[62, 62, 32]),
        ("pool1", &[31, 31, 32]),
        ("conv2", &[29, 29, 64]),
        ("pool2", &[14, 14, 64]),
        ("flatten", &[12_544]),
        ("fc1", &[128]),
        ("fc2", &[10]),
    ];
    assert_eq!(outputs, want);
    let text = summary.to_string();
    assert_eq!(text.lines().count(), 10);
    for part in ["conv2    Conv2d", "29x29x64", "18,496", "1,626,442", "31.003"] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

#[test]
fn states_are_named_as_in_torchvision() {
    let model = by_name("resnet18", 10, [32, 32, 3]).expect("the model fits");
    let step = EvalStep::build(&model, 1).expect("a step");
    let names: Vec<&str> = step.graph.states().iter().map(|s| s.name.as_str()).collect();
    for name in [
        "conv1.weight",
        "bn1.running_mean",
        "layer1.0.conv1.weight",
        "layer2.0.downsample.0.weight",
        "layer2.0.downsample.1.running_var",
        "layer4.1.bn2.bias",
        "fc.bias",
    ] {
        assert!(names.contains(&name), "{name} is missing");
    }
    // 62 parameters, two statistics for each of 20 norms, and the metrics.
    assert_eq!(names.len(), 62 + 40 + 1);
    assert!(!names.iter().any(|n| n.starts_with("layer1.0.downsample")));
}

#[test]
fn every_model_is_recorded_for_common_images_and_shares_arenas_between_its_steps() {
    for name in &names() {
        for image in [[28, 28, 1], [32, 32, 3], [64, 48, 3]] {
            let model = by_name(name, 7, image).unwrap_or_else(|e| panic!("{name} {image:?}: {e}"));
            let train = TrainStep::build(&model, TrainOptions::new(4, Sgd::default()));
            let train = train.unwrap_or_else(|e| panic!("{name} {image:?}: {e}"));
            let eval = EvalStep::build(&model, 9).unwrap_or_else(|e| panic!("{name} {image:?}: {e}"));
            let layout = |g: &Graph| -> Vec<(String, usize)> {
                g.arenas().iter().map(|a| (a.name.clone(), a.len)).filter(|(n, _)| !n.starts_with("optim")).collect()
            };
            let sorted = |mut v: Vec<(String, usize)>| {
                v.sort();
                v
            };
            assert_eq!(sorted(layout(&train.graph)), sorted(layout(&eval.graph)), "{name} {image:?}");
        }
    }
}

#[test]
fn a_model_that_does_not_fit_names_the_layer() {
    let error = by_name("tutorial-cnn", 10, [4, 4, 3]).err().expect("too small").to_string();
    assert!(error.contains("conv2"), "{error}");
    let layers = Sequential::new().push(Conv2d::new(8, 3)).push(Activation::Relu).push(Conv2d::new(8, 3).groups(3));
    let error = Model::new("own", [8, 8, 3], 2, layers).err().expect("groups").to_string();
    assert!(error.contains("in 2:") && error.contains("3 groups"), "{error}");
    let layers = Sequential::new().push(Flatten).named("head", Linear::new(3));
    let error = Model::new("own", [8, 8, 3], 2, layers).err().expect("classes").to_string();
    assert!(error.contains("[1, 2]"), "{error}");
}

#[test]
fn extents_beyond_what_can_be_addressed_are_refused_and_sums_do_not_wrap() {
    let refused = |model: Result<Model, NnError>| model.err().expect("too large").to_string();
    let huge = 200_000_000;
    let error = refused(by_name("tutorial-cnn", 10, [huge, huge, 3]));
    assert!(error.contains("more elements than a computer can address"), "{error}");
    let error = refused(Model::new("own", [usize::MAX, 2, 1], 2, Flatten));
    assert!(error.contains("more elements than a computer can address"), "{error}");
    let layers = Sequential::new().push(Flatten).named("wide", Linear::new(usize::MAX)).push(Linear::new(2));
    let error = refused(Model::new("own", [8, 8, 1], 2, layers));
    assert!(error.contains("in wide:"), "{error}");

    let wide = || Linear::new(8);
    let layers = Sequential::new().push(wide()).push(wide()).push(wide()).push(wide()).push(GlobalAvgPool);
    let model = Model::new("own", [1 << 28, 1 << 28, 1], 8, layers).expect("it can be addressed");
    assert_eq!(Summary::of(&model).flops(), u64::MAX);
}

#[test]
fn layers_whose_names_have_slashes_or_that_have_no_features_are_refused() {
    let layers = Sequential::new().push(Flatten).named("a/b", Linear::new(3));
    let error = Model::new("own", [8, 8, 1], 3, layers).err().expect("a slash").to_string();
    assert!(error.contains("\"a/b\" is no name for a layer"), "{error}");
    let layers = Sequential::new().named("se", SqueezeExcite::new(0)).push(Flatten).push(Linear::new(3));
    let error = Model::new("own", [8, 8, 1], 3, layers).err().expect("no features").to_string();
    assert!(error.contains("in se/fc1:") && error.contains("an extent is 0"), "{error}");
}

#[test]
fn unknown_names_and_bad_options_are_refused() {
    let error = by_name("resnet1000", 10, [32, 32, 3]).err().expect("unknown");
    assert!(matches!(&error, NnError::Unknown { kind: "model", known, .. } if known.len() > 5), "{error}");
    assert!(error.to_string().contains("small-cnn"));
    assert!(by_name("lenet5", 0, [28, 28, 1]).is_err());
    let model = by_name("small-cnn", 10, [28, 28, 1]).expect("the model fits");
    let good = TrainOptions::new(4, Sgd::default());
    let weighted = |weights| Arc::new(Classification { class_weights: Some(weights), ..Default::default() });
    let bad = [
        TrainOptions { batch: 0, ..good.clone() },
        TrainOptions {
            objective: Arc::new(Classification { label_smoothing: 1.0, ..Default::default() }),
            ..good.clone()
        },
        TrainOptions { gradient_changes: vec![clip_by_norm(0.0)], ..good.clone() },
        TrainOptions { gradient_changes: vec![clip_by_norm(f64::NAN)], ..good.clone() },
        TrainOptions { objective: weighted(vec![1.0; 9]), ..good.clone() },
        TrainOptions { objective: weighted(vec![f32::NAN; 10]), ..good.clone() },
    ];
    for options in bad {
        assert!(TrainStep::build(&model, options.clone()).is_err(), "{options:?}");
    }
    assert!(EvalStep::build(&model, 0).is_err());
}

#[test]
fn a_layer_called_twice_shares_its_weights_but_not_its_statistics() {
    let mut graph = Graph::new();
    let x = graph.input("x", &[2, 6], DType::F32).expect("input");
    let mut ctx = Context::new(&mut graph, Mode::Train, None);
    let layer = Linear::new(6);
    let y = ctx.call("fc", &layer, x).expect("once");
    let z = ctx.call("fc", &layer, y).expect("twice");
    let norm = ctx.call("bn", &BatchNorm2d::new(), z).expect("a norm");
    assert!(ctx.call("bn", &BatchNorm2d::new(), norm).is_err());
    assert!(ctx.call("fc", &Linear::new(5), z).is_err(), "another shape under the same name");
    assert_eq!(ctx.finish().expect("finished").parameters.len(), 4);
}

#[test]
fn a_forward_pass_that_differs_from_what_was_declared_is_refused() {
    /// Takes a state of this name, declares "weight", and gives x or its first row.
    struct Odd(&'static str, bool);
    impl Module for Odd {
        fn declare(&self, declare: &mut Declare, x: &[usize]) -> chiaro_graph::Result<Vec<usize>> {
            declare.parameter("weight", &[1], chiaro_nn::Init::ONES)?;
            Ok(x.to_vec())
        }
        fn forward(&self, ctx: &mut Context<'_>, x: Var) -> chiaro_graph::Result<Var> {
            ctx.parameter(self.0)?;
            if self.1 { ctx.graph().narrow(x, 1, 0, 1) } else { Ok(x) }
        }
        fn kind(&self) -> &'static str {
            "Odd"
        }
    }
    let recorded = |layer: Odd| {
        let mut graph = Graph::new();
        let x = graph.input("x", &[2, 6], DType::F32).expect("input");
        let mut ctx = Context::new(&mut graph, Mode::Train, None);
        ctx.call("odd", &layer, x).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(recorded(Odd("weight", false)), Ok(()));
    let error = recorded(Odd("bias", false)).expect_err("never declared");
    assert!(error.contains("odd.bias") && error.contains("without having declared it"), "{error}");
    let error = recorded(Odd("weight", true)).expect_err("another shape");
    assert!(error.contains("in odd:") && error.contains("[[2, 1], [2, 6]]"), "{error}");
}

#[test]
fn what_a_model_declares_is_what_its_step_holds() {
    for name in names() {
        let model = by_name(&name, 7, [64, 64, 3]).expect("the model fits");
        let step = EvalStep::build(&model, 2).expect("a step");
        let held: Vec<(&str, &[usize])> =
            step.graph.states().iter().map(|s| (s.name.as_str(), &s.shape[..])).filter(|s| s.0 != "metrics").collect();
        let declared = |kind| model.declared().states.iter().filter(move |s| s.kind == kind);
        let all = declared(StateKind::Parameter).chain(declared(StateKind::Statistic));
        assert_eq!(held, all.map(|s| (s.name.as_str(), &s.shape[..])).collect::<Vec<_>>(), "{name}");
    }
}
