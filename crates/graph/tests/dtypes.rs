//! Which element types each builder method takes, operand by operand; all others are one clear error.

use chiaro_graph::{
    AvgDivisor, ConvSpec, CrossEntropyOptions, DType, Edge, Elementwise, Graph, GraphError, PoolSpec, RandomKind,
    ReduceKind, Reduction, ResizeMode, Result, SampleBy, Sampling, Target, Var,
};

/// Name, operands that fit, what each may be while the others are as they stand, and the method.
type Row = (&'static str, &'static [(&'static [usize], DType, &'static str)], fn(&mut Graph, &[Var]) -> Result<Var>);

/// The letters of the second column's types: f32, f16, i32, u32, bool.
const LETTERS: [(char, DType); 5] =
    [('f', DType::F32), ('h', DType::F16), ('i', DType::I32), ('u', DType::U32), ('b', DType::Bool)];

const F: DType = DType::F32;
const I: DType = DType::I32;
const U: DType = DType::U32;
const B: DType = DType::Bool;
const IMAGE: &[usize] = &[1, 4, 4, 2];
const MATRIX: &[usize] = &[2, 3];

const ROWS: &[Row] = &[
    ("Add", &[(MATRIX, F, "f"), (MATRIX, F, "f")], |g, v| g.add(v[0], v[1])),
    ("Neg", &[(MATRIX, F, "fh")], |g, v| g.unary(Elementwise::Neg, v[0])),
    ("Relu", &[(MATRIX, F, "fh")], |g, v| g.relu(v[0])),
    ("Exp", &[(MATRIX, F, "fh")], |g, v| g.exp(v[0])),
    ("Pow", &[(MATRIX, F, "f"), (MATRIX, F, "f")], |g, v| g.pow(v[0], v[1])),
    ("Less", &[(MATRIX, F, "f"), (MATRIX, F, "f")], |g, v| g.less(v[0], v[1])),
    ("And", &[(MATRIX, B, "b"), (MATRIX, B, "b")], |g, v| g.map(Elementwise::And, &[v[0], v[1]])),
    ("Not", &[(MATRIX, B, "b")], |g, v| g.unary(Elementwise::Not, v[0])),
    ("Where", &[(MATRIX, B, "b"), (MATRIX, F, "f"), (MATRIX, F, "f")], |g, v| g.where_(v[0], v[1], v[2])),
    ("powf", &[(MATRIX, F, "fh")], |g, v| g.powf(v[0], 2.0)),
    ("clamp", &[(MATRIX, F, "fh")], |g, v| g.clamp(v[0], Some(0.0), None)),
    ("cast", &[(MATRIX, F, "fhiub")], |g, v| g.cast(v[0], F)),
    ("random", &[(&[3], U, "u")], |g, v| g.random(RandomKind::Normal, &[2], v[0])),
    ("dropout", &[(MATRIX, F, "fh"), (&[3], U, "u")], |g, v| g.dropout(v[0], 0.5, v[1])),
    ("gather", &[(MATRIX, F, "fhiub"), (MATRIX, I, "i")], |g, v| g.gather(v[0], v[1], 1)),
    ("index_select", &[(MATRIX, F, "fhiub"), (&[2], I, "i")], |g, v| g.index_select(v[0], v[1], 1)),
    ("embedding", &[(MATRIX, F, "fhiub"), (&[2], I, "i")], |g, v| g.embedding(v[0], v[1], None)),
    ("embedding that pads", &[(MATRIX, F, "fhiub"), (&[2], I, "i")], |g, v| g.embedding(v[0], v[1], Some(0))),
    ("one_hot", &[(&[2], I, "i")], |g, v| g.one_hot(v[0], 3, F)),
    ("cross_entropy", &[(MATRIX, F, "fh"), (&[2], I, "i")], |g, v| g.cross_entropy(v[0], v[1], &plain())),
    ("cross_entropy of shares", &[(MATRIX, F, "f"), (MATRIX, F, "f")], |g, v| g.cross_entropy(v[0], v[1], &plain())),
    ("nll_loss", &[(MATRIX, F, "fh"), (&[2], I, "i")], |g, v| g.nll_loss(v[0], v[1], &plain())),
    ("class weights", &[(MATRIX, F, "fh"), (&[2], I, "i"), (&[3], F, "fh")], |g, v| {
        g.cross_entropy(v[0], v[1], &CrossEntropyOptions { class_weight: Some(v[2]), ..plain() })
    }),
    ("mse_loss", &[(MATRIX, F, "f"), (MATRIX, F, "f")], |g, v| g.mse_loss(v[0], v[1], Reduction::Mean)),
    ("l1_loss", &[(MATRIX, F, "f"), (MATRIX, F, "f")], |g, v| g.l1_loss(v[0], v[1], Reduction::None)),
    ("huber_loss", &[(MATRIX, F, "f"), (MATRIX, F, "f")], |g, v| g.huber_loss(v[0], v[1], 1.0, Reduction::Sum)),
    ("bce_with_logits", &[(MATRIX, F, "f"), (MATRIX, F, "f"), (&[3], F, "f")], |g, v| {
        g.bce_with_logits(v[0], v[1], Some(v[2]), Reduction::Mean)
    }),
    ("matmul", &[(MATRIX, F, "f"), (&[3, 4], F, "f")], |g, v| g.matmul(v[0], v[1], false, false)),
    ("linear", &[(MATRIX, F, "f"), (&[4, 3], F, "f"), (&[4], F, "f")], |g, v| g.linear(v[0], v[1], Some(v[2]))),
    ("conv2d", &[(IMAGE, F, "f"), (&[3, 2, 2, 2], F, "f")], |g, v| g.conv2d(v[0], v[1], &ConvSpec::default())),
    ("conv2d of points", &[(IMAGE, F, "f"), (&[3, 1, 1, 2], F, "f")], |g, v| {
        g.conv2d(v[0], v[1], &ConvSpec::default())
    }),
    ("conv_transpose2d", &[(IMAGE, F, "f"), (&[2, 2, 2, 3], F, "f")], |g, v| {
        g.conv_transpose2d(v[0], v[1], &ConvSpec::default(), [0, 0])
    }),
    ("max_pool2d", &[(IMAGE, F, "fh")], |g, v| g.max_pool2d(v[0], &PoolSpec::square(2))),
    ("max_pool2d_index", &[(IMAGE, F, "fh")], |g, v| g.max_pool2d_index(v[0], &PoolSpec::square(2))),
    ("avg_pool2d", &[(IMAGE, F, "fh")], |g, v| g.avg_pool2d(v[0], &PoolSpec::square(2), AvgDivisor::IncludePadding)),
    ("global_avg_pool2d", &[(IMAGE, F, "fh")], |g, v| g.global_avg_pool2d(v[0])),
    ("resize2d nearest", &[(IMAGE, F, "fhiub")], |g, v| g.resize2d(v[0], [2, 3], ResizeMode::Nearest)),
    ("resize2d bilinear", &[(IMAGE, F, "fh")], |g, v| {
        g.resize2d(v[0], [2, 3], ResizeMode::Bilinear { align_corners: false })
    }),
    ("batch_norm", &[(IMAGE, F, "fh"), (&[2], F, "f"), (&[2], F, "f")], |g, v| {
        g.batch_norm(v[0], v[1], v[2], 1e-5).map(|(y, _)| y)
    }),
    ("normalise", &[(IMAGE, F, "fh"), (&[2], F, "f"), (&[2], F, "f")], |g, v| {
        g.normalise(v[0], v[1], v[2], None, None, 1e-5)
    }),
    ("layer_norm", &[(MATRIX, F, "f"), (&[3], F, "f"), (&[3], F, "f")], |g, v| {
        g.layer_norm(v[0], 1, Some(v[1]), Some(v[2]), 1e-5)
    }),
    ("group_norm", &[(IMAGE, F, "fh")], |g, v| g.group_norm(v[0], 2, None, None, 1e-5)),
    ("softmax", &[(MATRIX, F, "fh")], |g, v| g.softmax(v[0], -1, true)),
    ("sum", &[(MATRIX, F, "fhiu")], |g, v| g.sum(v[0], &[0], false)),
    ("max", &[(MATRIX, F, "fhiu")], |g, v| g.reduce(ReduceKind::Max, v[0], &[0], false)),
    ("mean", &[(MATRIX, F, "fh")], |g, v| g.mean(v[0], &[0], false)),
    ("var", &[(MATRIX, F, "fh")], |g, v| g.var(v[0], &[0], false, 1.0)),
    ("argmax", &[(MATRIX, F, "fhiu")], |g, v| g.argmax(v[0], 0, false)),
    ("concat", &[(MATRIX, F, "f"), (MATRIX, F, "f")], |g, v| g.concat(v, 0)),
    ("pad", &[(MATRIX, F, "fhiub")], |g, v| g.pad(v[0], &[1, 0], &[0, 1], 0.0)),
    (
        "sample_images",
        &[
            (&[3, 1], U, "u"),
            (&[2], I, "i"),
            (&[2, 1], F, "f"),
            (&[2, 3, 3], I, "i"),
            (&[2, 1, 2], I, "i"),
            (&[2, 14], I, "i"),
            (&[2, 1, 64], U, "u"),
        ],
        |g, v| {
            let by = SampleBy { place: Some(v[3]), colour: Some(v[4]), changes: Some(v[5]), tones: Some(v[6]) };
            let sampling = Sampling { source: [2, 2, 1], size: [2, 2], edge: Edge::Mean };
            g.sample_images(v[0], v[1], v[2], by, sampling)
        },
    ),
    ("tone_tables", &[(&[3, 1], U, "u"), (&[2], I, "i"), (&[2, 2], I, "i")], |g, v| {
        g.tone_tables(v[0], v[1], v[2], [2, 2, 1])
    }),
    ("pack", &[(&[2], F, "f")], |g, v| {
        let arena = g.arena("packed", F)?;
        let state = g.state(arena, "s", &[2])?;
        g.pack(arena, &[(state, v[0])])
    }),
    ("assign", &[(&[2], F, "f")], |g, v| {
        let arena = g.arena("assigned", F)?;
        let state = g.state(arena, "s", &[2])?;
        g.assign(Target::State(state), v[0]).map(|()| v[0])
    }),
    ("grad", &[(&[], F, "fh")], |g, v| {
        let y = g.map(Elementwise::Add, &[v[0], v[0]])?;
        g.grad(y, None, &[v[0]]).map(|d| d[0])
    }),
];

fn plain() -> CrossEntropyOptions {
    CrossEntropyOptions::default()
}

/// The method with operand `place` of another type; the message of a refusal.
fn tried(row: &Row, place: usize, dtype: DType) -> Option<String> {
    let (name, operands, method) = row;
    let mut g = Graph::new();
    let types = operands.iter().enumerate().map(|(i, (_, own, _))| if i == place { dtype } else { *own });
    let given: Vec<Var> = operands
        .iter()
        .zip(types)
        .enumerate()
        .map(|(i, ((shape, ..), dtype))| g.input(&format!("x{i}"), shape, dtype).expect("new"))
        .collect();
    let error = g.scoped("head", |g| method(g, &given)).err()?;
    let told = matches!(error, GraphError::DType { .. } | GraphError::Shape { .. } | GraphError::NotDifferentiable(_));
    assert!(told, "{name}: {error}");
    Some(error.to_string())
}

#[test]
fn every_method_takes_the_types_of_its_row_and_refuses_the_others_by_name() {
    let mut wrong = vec![];
    for row in ROWS {
        for (place, (_, _, wanted)) in row.1.iter().enumerate() {
            let outcomes = LETTERS.map(|(letter, dtype)| (letter, dtype, tried(row, place, dtype)));
            let taken: String =
                outcomes.iter().filter(|(.., error)| error.is_none()).map(|(letter, ..)| letter).collect();
            if taken != *wanted {
                wrong.push(format!("{} operand {place}: takes {taken}, not {wanted}", row.0));
            }
            for (_, dtype, error) in &outcomes {
                let names =
                    |error: &String| [format!("{dtype:?}"), dtype.to_string()].iter().any(|d| error.contains(d));
                if let Some(error) = error.as_ref().filter(|error| !names(error)) {
                    wrong.push(format!("{} operand {place} of {dtype}: {error}", row.0));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
