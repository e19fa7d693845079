//! Misuse of the builder: an error that says what is wrong, where once there was a panic or a silent wrong result.

use chiaro_graph::{
    AvgDivisor, BackendError, ConvSpec, CrossEntropyOptions, DType, Data, Edge, Elementwise, Graph, PoolSpec,
    RandomKind, Reduction, ResizeMode, Result, SampleBy, Sampling, Target, Tensor, Var, check_inputs,
};

const SAMPLING: Sampling = Sampling { source: [2, 2, 1], size: [2, 2], edge: Edge::Mean };

#[track_caller]
fn refused<T: std::fmt::Debug>(made: Result<T>, words: &[&str]) {
    let message = made.expect_err("misuse").to_string();
    assert!(words.iter().all(|w| message.contains(w)), "{message:?} lacks one of {words:?}");
}

fn inputs<const N: usize>(g: &mut Graph, given: [(&str, &[usize], DType); N]) -> [Var; N] {
    given.map(|(name, shape, dtype)| g.input(name, shape, dtype).unwrap())
}

/// Every builder method that takes a value, given one of another graph; `own` are this graph's float image, filter, vector,
/// i32 index and key.
type Use = (&'static str, fn(&mut Graph, Var, [Var; 5]) -> Result<Var>);

const USES: &[Use] = &[
    ("output", |g, f, [x, ..]| g.output("y", f).map(|()| x)),
    ("assign", |g, f, [x, ..]| {
        let arena = g.arena("other", DType::F32)?;
        let state = g.state(arena, "t", &[2])?;
        g.assign(Target::State(state), f).map(|()| x)
    }),
    ("Add", |g, f, [x, ..]| g.add(x, f)),
    ("Relu", |g, f, _| g.relu(f)),
    ("powf", |g, f, _| g.powf(f, 3.0)),
    ("powf 1", |g, f, _| g.powf(f, 1.0)),
    ("Maximum", |g, f, _| g.map_scalars(Elementwise::Maximum, f, &[1.0])),
    ("Where", |g, f, [x, ..]| g.where_(f, x, x)),
    ("clamp", |g, f, _| g.clamp(f, Some(0.0), None)),
    ("clamp", |g, f, _| g.clamp(f, None, None)),
    ("cast", |g, f, _| g.cast(f, DType::I32)),
    ("cast", |g, f, _| g.cast(f, DType::F32)),
    ("random", |g, f, _| g.random(RandomKind::Normal, &[2], f)),
    ("dropout", |g, f, [.., key]| g.dropout(f, 0.0, key)),
    ("random", |g, f, [x, ..]| g.dropout(x, 0.5, f)),
    ("gather", |g, f, [x, ..]| g.gather(x, f, 0)),
    ("gather", |g, f, [.., i, _]| g.gather(f, i, 0)),
    ("index_select", |g, f, [x, ..]| g.index_select(x, f, 0)),
    ("index_select", |g, f, [.., i, _]| g.index_select(f, i, 0)),
    ("embedding", |g, f, [x, ..]| g.embedding(x, f, None)),
    ("embedding", |g, f, [.., i, _]| g.embedding(f, i, None)),
    ("one_hot", |g, f, _| g.one_hot(f, 3, DType::F32)),
    ("detach", |g, f, _| g.detach(f)),
    ("widened", |g, f, _| g.widened(f)),
    ("sample_images", |g, f, _| g.sample_images(f, f, f, SampleBy::default(), SAMPLING)),
    ("cross_entropy", |g, f, [.., i, _]| g.cross_entropy(f, i, &CrossEntropyOptions::default())),
    ("cross_entropy", |g, f, [x, ..]| g.cross_entropy(x, f, &CrossEntropyOptions::default())),
    ("nll_loss", |g, f, [.., i, _]| g.nll_loss(f, i, &CrossEntropyOptions::default())),
    ("nll_loss", |g, f, [x, ..]| g.nll_loss(x, f, &CrossEntropyOptions::default())),
    ("reduce_loss", |g, f, _| g.reduce_loss(f, Reduction::None)),
    ("mse_loss", |g, f, [x, ..]| g.mse_loss(x, f, Reduction::Mean)),
    ("l1_loss", |g, f, [x, ..]| g.l1_loss(f, x, Reduction::Mean)),
    ("huber_loss", |g, f, [x, ..]| g.huber_loss(f, x, 1.0, Reduction::Mean)),
    ("l1_loss", |g, f, [x, ..]| g.smooth_l1_loss(f, x, 0.0, Reduction::Mean)),
    ("bce_with_logits", |g, f, [x, ..]| g.bce_with_logits(x, x, Some(f), Reduction::Mean)),
    ("bce_with_logits", |g, f, [x, ..]| g.bce_with_logits(x, f, None, Reduction::Mean)),
    ("matmul", |g, f, [x, ..]| g.matmul(x, f, false, false)),
    ("linear", |g, f, [x, ..]| g.linear(x, f, None)),
    ("reshape", |g, f, _| g.reshape(f, &[2])),
    ("broadcast_to", |g, f, _| g.broadcast_to(f, &[2])),
    ("transpose", |g, f, _| g.transpose(f, &[0])),
    ("slice", |g, f, _| g.slice(f, &[0], &[1], &[1])),
    ("narrow", |g, f, _| g.narrow(f, 0, 0, 1)),
    ("pad", |g, f, _| g.pad(f, &[0], &[0], 0.0)),
    ("concat", |g, f, [x, ..]| g.concat(&[x, f], 0)),
    ("concat", |g, f, _| g.concat(&[f], 0)),
    ("pack", |g, f, _| {
        let arena = g.arena("packed", DType::F32)?;
        let state = g.state(arena, "s", &[2])?;
        g.pack(arena, &[(state, f)])
    }),
    ("batch_norm", |g, f, [x, _, v, ..]| g.batch_norm(x, f, v, 1e-5).map(|(y, _)| y)),
    ("batch_norm", |g, f, [_, _, v, ..]| g.batch_norm(f, v, v, 1e-5).map(|(y, _)| y)),
    ("normalise", |g, f, [x, _, v, ..]| g.normalise(x, v, v, None, Some(f), 1e-5)),
    ("layer_norm", |g, f, _| g.layer_norm(f, 1, None, None, 1e-5)),
    ("layer_norm", |g, f, [x, ..]| g.layer_norm(x, 1, Some(f), None, 1e-5)),
    ("group_norm", |g, f, [x, ..]| g.group_norm(x, 1, None, Some(f), 1e-5)),
    ("softmax", |g, f, _| g.softmax(f, -1, false)),
    ("conv2d", |g, f, [x, ..]| g.conv2d(x, f, &ConvSpec::default())),
    ("conv_transpose2d", |g, f, [_, w, ..]| g.conv_transpose2d(f, w, &ConvSpec::default(), [0, 0])),
    ("max_pool2d", |g, f, _| g.max_pool2d(f, &PoolSpec::square(1))),
    ("max_pool2d_index", |g, f, _| g.max_pool2d_index(f, &PoolSpec::square(1))),
    ("avg_pool2d", |g, f, _| g.avg_pool2d(f, &PoolSpec::square(1), AvgDivisor::IncludePadding)),
    ("global_avg_pool2d", |g, f, _| g.global_avg_pool2d(f)),
    ("adaptive_avg_pool2d", |g, f, _| g.adaptive_avg_pool2d(f, [1, 1])),
    ("adaptive_max_pool2d", |g, f, _| g.adaptive_max_pool2d(f, [1, 1])),
    ("resize2d", |g, f, _| g.resize2d(f, [1, 1], ResizeMode::Nearest)),
    ("reduce", |g, f, _| g.sum(f, &[0], false)),
    ("reduce", |g, f, _| g.sum(f, &[0i32; 0], false)),
    ("sum_all", |g, f, _| g.sum_all(f)),
    ("mean", |g, f, _| g.mean(f, &[0], false)),
    ("var", |g, f, _| g.var(f, &[0], false, 0.0)),
    ("arg_reduce", |g, f, _| g.argmax(f, 0, false)),
    ("select_extreme", |g, f, _| g.select_extreme(chiaro_graph::ReduceKind::Max, f, 0, false)),
    ("grad", |g, f, [x, ..]| g.grad(f, None, &[x]).map(|d| d[0])),
    ("grad", |g, f, [x, ..]| {
        let y = g.sum_all(x)?;
        g.grad(y, None, &[f]).map(|d| d[0])
    }),
    ("grad", |g, f, [x, ..]| {
        let y = g.sum_all(x)?;
        g.grad(y, Some(f), &[x]).map(|d| d[0])
    }),
];

#[test]
fn a_value_of_another_graph_is_an_error_of_every_method() {
    // Of two other graphs: one that is larger than this one, and one whose values are at places that this one has too.
    let mut large = Graph::new();
    let far = (0..40).map(|i| large.input(&i.to_string(), &[2], DType::F32).unwrap()).next_back().unwrap();
    let near = Graph::new().input("near", &[2], DType::F32).unwrap();
    for (&(name, method), foreign) in USES.iter().flat_map(|u| [(u, far), (u, near)]) {
        let mut g = Graph::new();
        let own = inputs(
            &mut g,
            [
                ("image", &[1, 3, 3, 2], DType::F32),
                ("filter", &[2, 1, 1, 2], DType::F32),
                ("vector", &[2], DType::F32),
                ("index", &[1], DType::I32),
                ("key", &[3], DType::U32),
            ],
        );
        let message = method(&mut g, foreign, own).expect_err(name).to_string();
        assert!(message.contains("of another graph"), "{name}: {message}");
    }
}

#[test]
fn states_and_arenas_of_another_graph_are_errors() {
    let mut other = Graph::new();
    let arena = other.arena("a", DType::F32).unwrap();
    let state = other.state(arena, "s", &[2]).unwrap();
    let mut g = Graph::new();
    let own = g.arena("a", DType::F32).unwrap();
    g.state(own, "s", &[2]).unwrap();
    let v = g.input("v", &[2], DType::F32).unwrap();
    let words = &["of another graph"];
    refused(g.state(arena, "t", &[1]), words);
    refused(g.state_value(state), words);
    refused(g.arena_values(arena), words);
    refused(g.arena_like(arena, "b"), words);
    refused(g.assign(Target::State(state), v), words);
    refused(g.assign(Target::Arena(arena), v), words);
    refused(g.pack(arena, &[]), words);
    refused(g.pack(own, &[(state, v)]), words);
}

#[test]
fn values_from_before_a_clone_are_good_in_both_graphs() {
    let mut g = Graph::new();
    let x = g.input("x", &[2], DType::F32).unwrap();
    let mut copy = g.clone();
    assert!(copy.relu(x).is_ok() && g.relu(x).is_ok());
}

#[test]
fn types_that_a_kernel_does_not_compute_are_refused() {
    for dtype in [DType::I32, DType::U32, DType::Bool] {
        let mut g = Graph::new();
        let [image, filter, matrix, key] = inputs(
            &mut g,
            [
                ("image", &[1, 3, 3, 2], dtype),
                ("filter", &[2, 1, 1, 2], dtype),
                ("matrix", &[2, 2], dtype),
                ("key", &[3], DType::U32),
            ],
        );
        let (pool, spec) = (PoolSpec::square(2), ConvSpec { stride: [2, 2], ..ConvSpec::default() });
        let words = &["float", &format!("{dtype:?}")[..]];
        refused(g.max_pool2d(image, &pool), words);
        refused(g.max_pool2d_index(image, &pool), words);
        refused(g.avg_pool2d(image, &pool, AvgDivisor::IncludePadding), words);
        refused(g.global_avg_pool2d(image), words);
        refused(g.adaptive_avg_pool2d(image, [2, 1]), words);
        refused(g.adaptive_max_pool2d(image, [2, 1]), words);
        refused(g.resize2d(image, [2, 2], ResizeMode::Bilinear { align_corners: false }), words);
        refused(g.conv2d(image, filter, &spec), words);
        refused(g.conv_transpose2d(image, filter, &spec, [0, 0]), words);
        refused(g.mean(matrix, &[0], false), words);
        refused(g.var(matrix, &[0], false, 1.0), words);
        refused(g.dropout(matrix, 0.5, key), words);
        refused(g.dropout(matrix, 0.0, key), words);
        refused(g.softmax(matrix, 0, false), words);
        refused(g.powf(matrix, 1.0), words);
        refused(g.clamp(matrix, Some(0.0), None), words);
        refused(g.matmul(matrix, matrix, false, false), words);
        refused(g.linear(matrix, matrix, None), words);
        refused(g.layer_norm(matrix, 1, None, None, 1e-5), words);
        refused(g.group_norm(image, 1, None, None, 1e-5), words);
        refused(g.mse_loss(matrix, matrix, Reduction::Mean), words);
        refused(g.reduce_loss(matrix, Reduction::None), words);
    }
}

#[test]
fn f32_and_f16_do_not_mix_in_one_kernel() {
    let mut g = Graph::new();
    let [x, w, v, h] = inputs(
        &mut g,
        [
            ("x", &[1, 3, 3, 2], DType::F32),
            ("w", &[2, 2, 2, 2], DType::F16),
            ("v", &[2], DType::F32),
            ("h", &[2], DType::F16),
        ],
    );
    let words = &["one type", "F32", "F16"];
    refused(g.conv2d(x, w, &ConvSpec::default()), words);
    refused(g.conv_transpose2d(x, w, &ConvSpec::default(), [0, 0]), words);
    refused(g.mse_loss(v, h, Reduction::Mean), words);
    refused(g.layer_norm(x, 1, Some(h), None, 1e-5), words);
    refused(g.normalise(x, v, v, Some(h), None, 1e-5), words);
    refused(g.batch_norm(x, v, h, 1e-5), &["scale and shift must be f32"]);
}

#[test]
fn numbers_that_a_type_cannot_hold_are_refused_and_not_cut() {
    let mut g = Graph::new();
    let [i, u, b] = inputs(&mut g, [("i", &[2], DType::I32), ("u", &[2], DType::U32), ("b", &[2], DType::Bool)]);
    refused(g.map_scalars(Elementwise::Mul, i, &[0.5]), &["0.5 is no i32"]);
    refused(g.map_scalars(Elementwise::Add, u, &[-1.0]), &["-1 is no u32"]);
    refused(g.pad(i, &[1], &[0], 1.5), &["1.5 is no i32"]);
    refused(g.pad(i, &[0], &[0], 1.5), &["1.5 is no i32"]);
    refused(g.full(&[2], f64::NAN, DType::I32), &["NaN is no i32"]);
    refused(g.scalar(-1.0, DType::U32), &["-1 is no u32"]);
    refused(g.map_scalars(Elementwise::And, b, &[2.0]), &["2 is no bool"]);
    // A float type rounds, and overflows to infinity, on every backend alike.
    let large = g.scalar(1e5, DType::F16).unwrap();
    assert_eq!(format!("{:?}", g.node(large).op), "Scalar(Scalar { value: inf, dtype: F16 })");
    let [h, key] = inputs(&mut g, [("h", &[2], DType::F16), ("key", &[3], DType::U32)]);
    refused(g.dropout(h, 0.99999, key), &["scales by", "no f16"]);
}

#[test]
fn targets_of_other_shapes_or_types_are_refused_with_both_shapes() {
    let mut g = Graph::new();
    let [logits, pixels, i2, i21, u2, b2, soft, soft16] = inputs(
        &mut g,
        [
            ("logits", &[2, 3], DType::F32),
            ("pixels", &[2, 4, 5, 3], DType::F32),
            ("i2", &[2], DType::I32),
            ("i21", &[2, 1], DType::I32),
            ("u2", &[2], DType::U32),
            ("b2", &[2], DType::Bool),
            ("soft", &[2, 2], DType::F32),
            ("soft16", &[2, 3], DType::F16),
        ],
    );
    let options = CrossEntropyOptions::default();
    for loss in [Graph::cross_entropy, Graph::nll_loss] {
        refused(loss(&mut g, logits, i21, &options), &["the target must be [2]", "[2, 3]", "[2, 1]"]);
        refused(loss(&mut g, pixels, i2, &options), &["the target must be [2, 4, 5]"]);
        refused(loss(&mut g, logits, u2, &options), &["must be i32"]);
        refused(loss(&mut g, logits, b2, &options), &["must be i32"]);
    }
    refused(g.cross_entropy(logits, soft, &options), &["the target must be [2, 3]"]);
    refused(g.cross_entropy(logits, soft16, &options), &["one type"]);
    refused(g.cross_entropy(i2, i2, &options), &["float"]);
    let [column, row] = inputs(&mut g, [("column", &[4, 1], DType::F32), ("row", &[4], DType::F32)]);
    let words = &["one shape", "[4, 1]", "[4]"];
    refused(g.mse_loss(column, row, Reduction::Mean), words);
    refused(g.l1_loss(column, row, Reduction::Mean), words);
    refused(g.huber_loss(column, row, 1.0, Reduction::Mean), words);
    refused(g.smooth_l1_loss(column, row, 1.0, Reduction::Mean), words);
    refused(g.bce_with_logits(column, row, None, Reduction::Mean), words);
    refused(g.bce_with_logits(column, column, Some(row), Reduction::Mean), &["pos_weight", "[4, 1]", "[4]"]);
}

#[test]
fn class_weights_and_smoothing_are_checked() {
    let mut g = Graph::new();
    let [logits, labels, one, whole] = inputs(
        &mut g,
        [
            ("logits", &[2, 3], DType::F32),
            ("labels", &[2], DType::I32),
            ("one", &[1], DType::F32),
            ("whole", &[3], DType::I32),
        ],
    );
    for (weight, words) in [(one, "class weights must be [3]"), (whole, "float")] {
        let options = CrossEntropyOptions { class_weight: Some(weight), ..CrossEntropyOptions::default() };
        refused(g.cross_entropy(logits, labels, &options), &[words]);
        refused(g.nll_loss(logits, labels, &options), &[words]);
    }
    for smoothing in [-0.1, 1.5, f64::NAN, f64::INFINITY] {
        let options = CrossEntropyOptions { label_smoothing: smoothing, ..CrossEntropyOptions::default() };
        refused(g.cross_entropy(logits, labels, &options), &["smoothing", "outside [0, 1]"]);
    }
}

#[test]
fn scales_that_would_make_the_result_grow_are_refused() {
    let mut g = Graph::new();
    let [x, large, image, wide] = inputs(
        &mut g,
        [
            ("x", &[4, 3], DType::F32),
            ("large", &[2, 4, 3], DType::F32),
            ("image", &[1, 2, 2, 4], DType::F32),
            ("wide", &[2, 4], DType::F32),
        ],
    );
    refused(g.layer_norm(x, 1, Some(large), None, 1e-5), &["scale and shift must be [3]", "[2, 4, 3]"]);
    refused(g.group_norm(image, 2, None, Some(wide), 1e-5), &["scale and shift must be [4]"]);
    refused(g.batch_norm(image, wide, wide, 1e-5), &["scale [C]"]);
    refused(g.normalise(x, large, large, None, None, 1e-5), &["must broadcast to x"]);
    refused(g.normalise(x, x, x, None, None, -1.0), &["eps cannot be -1"]);
    refused(g.linear(x, x, Some(large)), &["the bias must be [4]"]);
}

#[test]
fn an_arena_taken_as_a_whole_gets_no_more_states_and_a_pack_names_each_state_once() {
    let mut g = Graph::new();
    let arena = g.arena("params", DType::F32).unwrap();
    let state = g.state(arena, "w", &[2]).unwrap();
    let v = g.input("v", &[2], DType::F32).unwrap();
    refused(g.pack(arena, &[(state, v), (state, v)]), &["\"w\"", "twice"]);
    let mut values = g.clone();
    values.arena_values(arena).unwrap();
    let mut packed = g.clone();
    packed.pack(arena, &[(state, v)]).unwrap();
    let mut like = g.clone();
    like.arena_like(arena, "momentum").unwrap();
    for mut g in [values, packed, like] {
        refused(g.state(arena, "late", &[2]), &["\"params\"", "\"late\""]);
    }
}

#[test]
fn constants_that_differ_in_a_sign_of_zero_stay_apart_and_nan_is_one() {
    let mut g = Graph::new();
    let mut constant = |v: f32| g.constant(Tensor::f32(vec![1], vec![v]).unwrap()).unwrap();
    assert_ne!(constant(0.0), constant(-0.0));
    assert_eq!(constant(f32::NAN), constant(f32::NAN));
}

/// An i32 input of three classes through `path` into a loss, and what a backend says of these labels.
fn labels(shape: &[usize], values: &[i32], path: impl Fn(&mut Graph, Var) -> Result<Var>) -> Option<String> {
    let mut g = Graph::new();
    let labels = g.input("labels", shape, DType::I32).unwrap();
    let target = path(&mut g, labels).unwrap();
    let mut logits = g.shape(target).to_vec();
    logits.push(3);
    let logits = g.full(&logits, 0.5, DType::F32).unwrap();
    g.cross_entropy(logits, target, &CrossEntropyOptions::default()).unwrap();
    let given = Tensor::i32(shape, values.to_vec()).unwrap();
    check_inputs(g.inputs(), &[given]).err().map(|e| {
        assert!(matches!(e, BackendError::Index { .. }));
        e.to_string()
    })
}

#[test]
fn a_label_outside_is_an_error_that_names_it_before_the_step_runs() {
    let plain = |values: &[i32]| labels(&[4], values, |_, v| Ok(v));
    assert_eq!(plain(&[0, 1, 2, -100]), None, "the ignored label is no class");
    let wanted = "input \"labels\": value 9 at [3] is outside 0..3 (cross_entropy over 3 classes)";
    assert_eq!(plain(&[0, 1, 2, 9]).as_deref(), Some(wanted));
    assert!(plain(&[0, -1, 2, 9]).is_some_and(|m| m.contains("value -1 at [1]")));
    assert!(plain(&[0, i32::MAX, i32::MIN, 0]).is_some_and(|m| m.contains("value 2147483647 at [1]")));
}

#[test]
fn labels_are_followed_through_views_and_only_those_that_select_count() {
    let square = [2usize, 2];
    let pixel = |values: &[i32]| labels(&[1, 2, 2], values, |_, v| Ok(v));
    assert!(pixel(&[0, 1, 2, 3]).is_some_and(|m| m.contains("value 3 at [0, 1, 1]")));
    let moved = |values: &[i32]| {
        labels(&square, values, |g, v| {
            let v = g.transpose(v, &[1, 0])?;
            let v = g.reshape(v, &[4, 1])?;
            g.broadcast_to(v, &[4, 2])
        })
    };
    assert!(moved(&[0, 1, 7, 2]).is_some_and(|m| m.contains("value 7 at [1, 0]")));
    // The second column holds something else.
    let column = |values: &[i32]| {
        labels(&square, values, |g, v| {
            let v = g.narrow(v, -1, 0, 1)?;
            g.reshape(v, &[2])
        })
    };
    assert_eq!(column(&[0, 99, 2, 99]), None);
    assert!(column(&[0, 99, 5, 99]).is_some_and(|m| m.contains("value 5 at [1, 0]")));
    let backwards = |values: &[i32]| {
        labels(&square, values, |g, v| {
            let v = g.transpose(v, &[1, 0])?;
            let v = g.slice(v, &[1, 1], &[1, 2], &[-1, -1])?;
            let v = g.reshape(v, &[2, 1])?;
            g.broadcast_to(v, &[2, 3])
        })
    };
    assert_eq!(backwards(&[99, 0, 99, 1]), None);
    assert!(backwards(&[99, 0, 99, 4]).is_some_and(|m| m.contains("value 4 at [1, 1]")));
    let both = |values: &[i32]| labels(&square, values, |g, v| g.concat(&[v, v], 0));
    assert!(both(&[0, 0, 0, 4]).is_some_and(|m| m.contains("value 4 at [1, 1]")));
    // What the device computes cannot be looked at.
    assert_eq!(labels(&[2], &[1, 9], |g, v| g.map_scalars(Elementwise::Minimum, v, &[2.0])), None);
}

#[test]
fn every_op_that_selects_by_index_bounds_its_input() {
    type Select = fn(&mut Graph, Var) -> Result<Var>;
    let ops: [(&str, Select); 6] = [
        ("gather of 3", |g, i| {
            let x = g.full(&[3], 1.0, DType::F32)?;
            g.gather(x, i, -1)
        }),
        ("index_select of 3", |g, i| {
            let x = g.full(&[2, 3], 1.0, DType::F32)?;
            g.index_select(x, i, 1)
        }),
        ("embedding of 3", |g, i| {
            let x = g.full(&[3, 2], 1.0, DType::F32)?;
            g.embedding(x, i, Some(0))
        }),
        ("one_hot of 3", |g, i| g.one_hot(i, 3, DType::F32)),
        ("nll_loss over 3 classes", |g, i| {
            let x = g.full(&[2, 3], 1.0, DType::F32)?;
            g.nll_loss(x, i, &CrossEntropyOptions::default())
        }),
        ("sample_images of 3", |g, i| {
            let (pixels, normalization) = (g.full(&[3, 1], 7.0, DType::U32)?, g.full(&[2, 1], 1.0, DType::F32)?);
            g.sample_images(pixels, i, normalization, SampleBy::default(), SAMPLING)
        }),
    ];
    for (of, op) in ops {
        let mut g = Graph::new();
        let index = g.input("index", &[2], DType::I32).unwrap();
        op(&mut g, index).unwrap();
        let check = |values: [i32; 2]| check_inputs(g.inputs(), &[Tensor::i32(vec![2], values.to_vec()).unwrap()]);
        assert!(check([0, 2]).is_ok(), "{of}");
        for wrong in [[0, 3], [0, -1]] {
            let message = check(wrong).expect_err(of).to_string();
            let wanted = format!("value {} at [1] is outside 0..3 ({of})", wrong[1]);
            assert!(message.contains(&wanted), "{message} lacks {wanted}");
        }
        // Fixed indices are looked at while the graph is built.
        let mut g = Graph::new();
        let fixed = g.constant(Tensor::new([2], Data::I32(vec![1, 3])).unwrap()).unwrap();
        refused(op(&mut g, fixed), &["value 3 at [1]", of]);
    }
}
