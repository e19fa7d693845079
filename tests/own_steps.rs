//! Steps of one's own: what is trained by which loss, what is refused, and how steps share a device.

mod support;

use chiaro::graph::{BackendError, Reduction, Shared};
use chiaro::nn::{Aim, Linear, NnError, OwnStep, PARAMS, Sgd};
use chiaro::train::Learner;
use chiaro::{Backend, DType, Tensor, Var};

/// Two dense layers of one weight: `first` makes 2 of 1, `second` makes 3 of what the first gives.
fn two(aims: &[&str]) -> chiaro::nn::Result<OwnStep> {
    let inputs = [("x", &[1, 1][..], DType::F32), ("targets", &[2, 1, 1], DType::F32)];
    OwnStep::training_for(&inputs, Sgd::default(), |ctx, given| {
        let plain = Linear { bias: false, ..Linear::new(1) };
        let first = ctx.call("first", &plain, given[0])?;
        let second = ctx.call("second", &plain, first)?;
        let g = ctx.graph();
        let mut loss = |found: Var, which: usize| {
            let target = g.narrow(given[1], 0, which, which + 1)?;
            let target = g.reshape(target, &[1, 1])?;
            g.mse_loss(found, target, Reduction::Mean)
        };
        let losses = [loss(first, 0)?, loss(second, 1)?];
        g.output("first", losses[0])?;
        g.output("second", losses[1])?;
        Ok(aims.iter().zip(losses).map(|(of, loss)| Aim { loss, of: (*of).into() }).collect())
    })
}

fn inputs() -> [Tensor; 2] {
    let of = |shape: &[usize], values: &[f32]| Tensor::f32(shape, values.to_vec()).expect("as many");
    [of(&[1, 1], &[1.0]), of(&[2, 1, 1], &[2.0, 3.0])]
}

#[test]
fn each_loss_trains_its_own_parameters_by_the_values_before_the_step() {
    let gpu = support::gpu().map(Shared::new);
    for mut device in std::iter::once(Shared::new(support::cpu())).chain(gpu) {
        let mut learner = Learner::new(&device, two(&["first.", "second."]).expect("recorded"), 1).expect("compiles");
        let weights = |device: &mut Shared, graph: &chiaro::Graph| {
            let flat = device.read_arena(PARAMS).expect("the weights").to_f64();
            ["first.weight", "second.weight"]
                .map(|name| flat[graph.states().iter().find(|s| s.name == name).expect("a state").offset])
        };
        for _ in 0..3 {
            let [a, b] = weights(&mut device, &learner.recorded().graph);
            learner.step(&inputs(), 0.1).expect("runs");
            // d (a - 2)² / da, without what the second loss would say of a; d (a b - 3)² / db.
            let wanted = [a - 0.1 * 2.0 * (a - 2.0), b - 0.1 * 2.0 * (a * b - 3.0) * a];
            let found = weights(&mut device, &learner.recorded().graph);
            assert!(found.iter().zip(wanted).all(|(f, w)| (f - w).abs() < 1e-5), "{found:?}, not {wanted:?}");
        }
        assert!(learner.steps() == 3 && learner.read("second").expect("an output").len() == 1);
        let error = learner.read("third").expect_err("there is none");
        assert_eq!(error.to_string(), "unknown output \"third\"");
    }
}

#[test]
fn a_parameter_without_a_loss_and_a_step_without_parameters_are_refused() {
    let Err(NnError::Option(text)) = two(&["first."]).map(|_| ()) else { panic!("accepted") };
    assert_eq!(text, "no loss of the step is for the parameter second.weight");
    for aims in [["frist.", ""], ["", "second."]] {
        let Err(NnError::Option(text)) = two(&aims).map(|_| ()) else { panic!("accepted") };
        assert!(text.starts_with("no parameter is left for the loss of those that begin with"), "{text}");
    }
    let nothing = OwnStep::training(&[("x", &[1], DType::F32)], Sgd::default(), |_, given| Ok(given[0]));
    let Err(NnError::Option(text)) = nothing.map(|_| ()) else { panic!("accepted") };
    assert_eq!(text, "the step has no parameters to train");
}

#[test]
fn who_asks_sees_what_is_trained_and_a_closed_step_makes_room_for_another_network() {
    let device = Shared::new(support::cpu());
    let asking = |width: usize| {
        OwnStep::asking(&[("x", &[1, 1], DType::F32)], move |ctx, given| {
            let plain = Linear { bias: false, ..Linear::new(width) };
            let y = ctx.call("first", &plain, given[0])?;
            let one = Linear { bias: false, ..Linear::new(1) };
            let y = if width < 300 { ctx.call("second", &one, y)? } else { y };
            ctx.graph().output("y", y)
        })
        .expect("recorded")
    };
    let mut learner = Learner::new(&device, two(&[""]).expect("one loss for all"), 1).expect("compiles");
    let mut asker = Learner::new(&device, asking(1), 0).expect("compiles");
    let before = asker.ask(&inputs()[..1]).expect("an answer");
    (0..100).for_each(|_| learner.step(&inputs(), 0.1).expect("runs"));
    let after = asker.ask(&inputs()[..1]).expect("an answer");
    assert!(before != after, "{before:?}");
    assert!(matches!(learner.ask(&inputs()), Err(BackendError::Unknown(text)) if text.contains("OwnStep::asking")));

    assert!(matches!(Learner::new(&device, asking(300), 0), Err(BackendError::Taken { .. })));
    // Its weights would lie in the same place, and take as much room.
    let Err(error) = Learner::new(&device, asking(50), 0).map(|_| ()) else { panic!("accepted") };
    assert!(matches!(&error, BackendError::OtherStates { wanted, .. } if wanted.contains("[50, 1]")), "{error}");
    learner.close().expect("given back");
    asker.close().expect("given back");
    let mut other = Learner::new(&device, asking(300), 0).expect("there is room");
    assert_eq!(other.ask(&inputs()[..1]).expect("an answer")[0].len(), 300);
}

#[test]
fn a_step_that_is_dropped_gives_back_its_plan_and_leaves_its_weights() {
    let gpu = support::gpu().map(Shared::new);
    for mut device in std::iter::once(Shared::new(support::cpu())).chain(gpu) {
        let step = || two(&[""]).expect("one loss for all");
        let began = device.stats().bytes;
        let learner = Learner::new(&device, step(), 1).expect("compiles");
        let arenas: u64 = learner.recorded().graph.arenas().iter().map(|arena| 4 * arena.len as u64).sum();
        let used = device.stats().bytes;
        assert!(used > began + arenas, "a plan has buffers of its own: {began} {arenas} {used}");
        let weights = device.read_arena(PARAMS).expect("the weights");
        drop(learner);
        // The weights stay, and on a GPU what they were read through.
        let left = device.stats().bytes;
        assert!(left < used && left >= began + arenas, "{began} {arenas} {used} {left}");
        assert_eq!(device.read_arena(PARAMS).expect("they stay"), weights);
        // As often as one likes, and no weights are left after the last is closed.
        for _ in 0..3 {
            drop(Learner::new(&device, step(), 1).expect("compiles"));
            assert_eq!(device.stats().bytes, left);
        }
        Learner::new(&device, step(), 1).expect("compiles").close().expect("given back");
        assert!(device.stats().bytes <= left - arenas, "{left} {arenas} {}", device.stats().bytes);
    }
}
