//! What plans look like: fused, ordered, and within their memory.

use chiaro_graph::plan::{Access, BufferKind, Fusions, Kernel, Operand, Plan, PlanOptions};
use chiaro_graph::{ConvSpec, DType, Elementwise, Graph, Target, Var};

fn conv_bn_relu(g: &mut Graph, x: Var, arena: chiaro_graph::ArenaId, name: &str, out: usize) -> Var {
    let c = g.shape(x)[3];
    let w = g.state(arena, &format!("{name}.weight"), &[out, 3, 3, c]).unwrap();
    let scale = g.state(arena, &format!("{name}.scale"), &[out]).unwrap();
    let shift = g.state(arena, &format!("{name}.shift"), &[out]).unwrap();
    let [w, scale, shift] = [w, scale, shift].map(|s| g.state_value(s).unwrap());
    let spec = ConvSpec { padding: [1; 4], ..ConvSpec::default() };
    let y = g.conv2d(x, w, &spec).unwrap();
    let (y, _) = g.batch_norm(y, scale, shift, 1e-5).unwrap();
    g.relu(y).unwrap()
}

/// Two convolutions with batch norm and a residual, loss, gradients and SGD with momentum.
fn training_graph() -> Graph {
    let mut g = Graph::new();
    let x = g.input("images", &[8, 16, 16, 16], DType::F32).unwrap();
    let t = g.input("labels", &[8], DType::I32).unwrap();
    let lr = g.input("lr", &[1], DType::F32).unwrap();
    let arena = g.arena("params", DType::F32).unwrap();
    let y = conv_bn_relu(&mut g, x, arena, "a", 16);
    let y = conv_bn_relu(&mut g, y, arena, "b", 16);
    let y = g.add(y, x).unwrap();
    let y = g.global_avg_pool2d(y).unwrap();
    let w = g.state(arena, "fc.weight", &[10, 16]).unwrap();
    let w = g.state_value(w).unwrap();
    let logits = g.linear(y, w, None).unwrap();
    let loss = g.cross_entropy(logits, t, &Default::default()).unwrap();
    let states = g.arenas()[arena.index()].states.clone();
    let values: Vec<Var> = states.iter().map(|&s| g.state_value(s).unwrap()).collect();
    let grads = g.grad(loss, None, &values).unwrap();
    let pairs: Vec<_> = states.into_iter().zip(grads).collect();
    let packed = g.pack(arena, &pairs).unwrap();
    let momentum = g.arena_like(arena, "momentum").unwrap();
    let (p, m) = (g.arena_values(arena).unwrap(), g.arena_values(momentum).unwrap());
    let m = g.map_scalars(Elementwise::Mul, m, &[0.9]).unwrap();
    let m = g.add(m, packed).unwrap();
    let step = g.mul(m, lr).unwrap();
    let p = g.sub(p, step).unwrap();
    g.assign(Target::Arena(arena), p).unwrap();
    g.assign(Target::Arena(momentum), m).unwrap();
    g.output("loss", loss).unwrap();
    g
}

fn print(plan: &Plan) -> String {
    let mut text = String::new();
    for s in &plan.steps {
        let ops: Vec<String> =
            s.operands.iter().map(|o| format!("{}@{}+{}{:?}", o.buffer, o.offset, o.len, o.access)).collect();
        text += &format!("{:24} {:40} {:?} {}\n", s.kernel.name(), s.label, s.program.domain, ops.join(" "));
    }
    text
}

#[test]
fn a_training_step_is_fused() {
    let g = training_graph();
    let options = PlanOptions { alignment: 64, inline_broadcasts: true, ..PlanOptions::default() };
    let plan = Plan::new(&g, &options).unwrap();
    let text = print(&plan);
    let pointwise: Vec<_> = plan.steps.iter().filter(|s| matches!(s.kernel, Kernel::Pointwise)).collect();
    // Forward and backward of two norms, and the optimizer; the residual's gradient rides on a convolution.
    assert!(pointwise.len() <= 6, "{} pointwise calls\n{text}", pointwise.len());
    let optimizer: Vec<_> = pointwise.iter().filter(|s| s.program.stores.len() == 2).collect();
    assert_eq!(optimizer.len(), 1, "one call updates parameters and momentum\n{text}");
    let reductions =
        plan.steps.iter().filter(|s| matches!(&s.kernel, Kernel::Reduce { results, .. } if results.len() == 2));
    assert_eq!(reductions.count(), 2, "each norm's backward pass reduces once\n{text}");
    assert!(!plan.buffers.iter().any(|b| b.kind == BufferKind::Slot && b.bytes == 0));
}

/// Convolutions reduce columns and compute their inputs.
fn reducing_options() -> PlanOptions {
    PlanOptions {
        alignment: 64,
        inline_broadcasts: true,
        columns: |kernel| matches!(kernel, Kernel::Conv2d(_) | Kernel::Conv2dInputGrad(_)),
        loads: |kernel, input| match kernel {
            Kernel::Conv2d(_) | Kernel::Conv2dInputGrad(_) => input == 0,
            other => matches!(other, Kernel::Conv2dWeightGrad(_)),
        },
        ..PlanOptions::default()
    }
}

#[test]
fn statistics_and_normalisation_ride_on_convolutions() {
    let g = training_graph();
    let plan = Plan::new(&g, &reducing_options()).unwrap();
    let text = print(&plan);
    assert!(!plan.steps.iter().any(|s| matches!(s.kernel, Kernel::Moments { .. })), "{text}");
    let reducing = plan.steps.iter().filter(|s| s.columns.is_some()).count();
    assert_eq!(reducing, 3, "two forward passes and the first norm's backward pass\n{text}");
    let computing = |s: &&chiaro_graph::plan::Step| s.loads.iter().any(Option::is_some);
    assert!(plan.steps.iter().filter(computing).count() >= 3, "{text}");
    for step in plan.steps.iter().filter(|s| s.columns.is_some()) {
        let rsqrt = |i: &chiaro_graph::plan::Instr| format!("{i:?}").contains("Rsqrt");
        assert!(!step.program.instrs.iter().any(rsqrt), "computed at every point: {}\n{text}", step.label);
        let columns = step.columns.as_ref().unwrap();
        assert_eq!(columns.program.domain, [16]);
    }
    let plain =
        Plan::new(&g, &PlanOptions { alignment: 64, inline_broadcasts: true, ..PlanOptions::default() }).unwrap();
    assert!(plan.steps.len() < plain.steps.len() && plan.moved_bytes() < plain.moved_bytes(), "{text}");
}

/// Behind the norm of an image a convolution with a stride and one of 1x1, as at the beginning of a stage of a residual network.
fn strided_pair(extent: usize) -> Graph {
    let mut g = Graph::new();
    let x = g.input("x", &[2, extent, extent, 8], DType::F32).unwrap();
    let y = g.relu(x).unwrap();
    let mut branch = |name: &str, kernel: usize| {
        let w = g.input(name, &[16, kernel, kernel, 8], DType::F32).unwrap();
        let spec = ConvSpec { stride: [2, 2], padding: [kernel / 2; 4], ..ConvSpec::default() };
        g.conv2d(y, w, &spec).unwrap()
    };
    let (a, b) = (branch("wide", 3), branch("narrow", 1));
    let sum = g.add(a, b).unwrap();
    let shape = g.shape(sum).to_vec();
    let d = g.input("d", &shape, DType::F32).unwrap();
    let gradient = g.grad(sum, Some(d), &[x]).unwrap()[0];
    g.output("dx", gradient).unwrap();
    g
}

#[test]
fn gradients_of_strided_pointwise_convolutions_have_no_zeros_between_their_pixels() {
    let gradients = |extent: usize, compact_strides: bool| {
        let options = PlanOptions { compact_strides, ..reducing_options() };
        let plan = Plan::new(&strided_pair(extent), &options).unwrap();
        let of = |s: &chiaro_graph::plan::Step| match &s.kernel {
            Kernel::Conv2dInputGrad(shape) => Some((shape.x[1], shape.w[1])),
            _ => None,
        };
        plan.steps.iter().filter_map(of).collect::<Vec<_>>()
    };
    assert_eq!(gradients(8, true), [(4, 1), (8, 3)]);
    assert_eq!(gradients(8, false), [(8, 3), (8, 1)]);
    assert_eq!(gradients(9, true), [(9, 3), (9, 1)], "a stride that does not divide the image");
}

/// An input that one convolution computes and stores, and others read.
#[test]
fn what_a_convolution_computes_is_kept_for_the_calls_behind_it() {
    let mut g = Graph::new();
    let x = g.input("images", &[8, 16, 16, 16], DType::F32).unwrap();
    let arena = g.arena("params", DType::F32).unwrap();
    let y = conv_bn_relu(&mut g, x, arena, "a", 16);
    let y = conv_bn_relu(&mut g, y, arena, "b", 16);
    let y = conv_bn_relu(&mut g, y, arena, "c", 16);
    let d = g.input("d", &[8, 16, 16, 16], DType::F32).unwrap();
    let weights: Vec<Var> =
        g.arenas()[arena.index()].states.clone().iter().map(|&s| g.state_value(s).unwrap()).collect();
    for (i, gradient) in g.grad(y, Some(d), &weights).unwrap().into_iter().enumerate() {
        g.output(&format!("gradient {i}"), gradient).unwrap();
    }
    let keeps = |kernel: &Kernel, input: usize| matches!(kernel, Kernel::Conv2dWeightGrad(_)) && input == 1;
    let plans = [true, false].map(|keep| {
        let fusions = Fusions { keep, ..Fusions::ALL };
        // So dear that nobody computes twice what is read twice.
        let options = PlanOptions { keeps, fusions, load_price: |_, _| 400, ..reducing_options() };
        Plan::new(&g, &options).unwrap()
    });
    let stored = plans.each_ref().map(|plan| {
        let loads = plan.steps.iter().flat_map(|s| s.loads.iter().flatten());
        loads.map(|load| load.program.stores.len()).sum::<usize>()
    });
    assert!(stored[0] > 0 && stored[1] == 0, "{stored:?}\n{}", print(&plans[0]));
    assert!(plans[0].moved_bytes() < plans[1].moved_bytes(), "{}", print(&plans[0]));
}

#[test]
fn slots_are_never_used_twice_at_once() {
    let g = training_graph();
    let fused = Plan::new(&g, &PlanOptions { alignment: 64, ..PlanOptions::default() }).unwrap();
    let plain = Plan::new(&g, &PlanOptions { alignment: 64, fuse: false, ..PlanOptions::default() }).unwrap();
    assert!(fused.steps.len() < plain.steps.len(), "{} {}", fused.steps.len(), plain.steps.len());
    assert!(fused.moved_bytes() < plain.moved_bytes());
    assert!(fused.intermediate_bytes() < fused.unshared_bytes, "{}", print(&fused));
    let reducing = Plan::new(&g, &reducing_options()).unwrap();
    for plan in [&fused, &plain, &reducing] {
        for step in &plan.steps {
            let in_slot = |o: &&Operand| plan.buffers[o.buffer].kind == BufferKind::Slot;
            let slots: Vec<&Operand> = step.operands.iter().filter(in_slot).collect();
            let clash = |a: &Operand, b: &Operand| a.buffer == b.buffer && a != b && b.access != Access::Read;
            let clashes = slots.iter().any(|a| slots.iter().any(|b| clash(a, b)));
            assert!(!clashes, "{} {:?}", step.label, step.operands);
        }
    }
}

#[test]
fn an_operand_that_is_too_large_is_named_with_a_batch_that_fits() {
    let g = training_graph();
    let options = PlanOptions { max_bytes: 100_000, ..PlanOptions::default() };
    let message = Plan::new(&g, &options).unwrap_err().to_string();
    assert!(message.contains("batch of at most 6"), "{message}");
}
