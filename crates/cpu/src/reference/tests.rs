//! What golden values do not show: states, random numbers, refusals.

use super::Reference;
use chiaro_graph::{Backend, BackendError, DType, Data, Graph, RandomKind, Result, Target, Tensor, philox4x32};

/// A graph that swaps two states and adds its input to one of them.
fn swap() -> Result<Graph> {
    let mut g = Graph::new();
    let x = g.input("x", &[2], DType::F32)?;
    let arena = g.arena("s", DType::F32)?;
    let (a, b) = (g.state(arena, "a", &[2])?, g.state(arena, "b", &[2])?);
    let (old_a, old_b) = (g.state_value(a).unwrap(), g.state_value(b).unwrap());
    let new = g.add(old_b, x)?;
    g.assign(Target::State(a), new)?;
    g.assign(Target::State(b), old_a)?;
    g.output("a", old_a)?;
    Ok(g)
}

#[test]
fn assignments_happen_at_the_end_of_a_step() {
    let mut r = Reference::new();
    let plan = r.compile(&swap().expect("a graph")).expect("a plan");
    let x = [Tensor::f32(vec![2], vec![1.0, 2.0]).expect("two elements")];
    let mut seen = vec![];
    for _ in 0..4 {
        r.run(plan, &x).expect("a step");
        seen.push(r.read_f64(plan, 0).expect("an output")[0]);
    }
    // a: 0, b + x = 1, old a + x = 1, 2.
    assert_eq!(seen, [0.0, 1.0, 1.0, 2.0]);
    let arena = r.read_arena_f64("s").expect("an arena");
    let next = chiaro_graph::ARENA_ALIGNMENT;
    assert_eq!((arena[0], arena[1], arena[next], arena[next + 1]), (2.0, 4.0, 2.0, 4.0));
}

#[test]
fn arenas_are_shared_by_name_and_refused_when_they_differ() {
    let mut r = Reference::new();
    r.compile(&swap().expect("a graph")).expect("a plan");
    assert!(r.compile(&swap().expect("a graph")).is_ok());
    let mut g = Graph::new();
    g.arena("s", DType::I32).expect("an arena");
    assert!(matches!(r.compile(&g), Err(BackendError::Taken { .. })));
    assert!(matches!(r.write_arena("s", &Tensor::scalar(1.0)), Err(BackendError::Mismatch { .. })));
    assert!(matches!(r.read_arena("t"), Err(BackendError::Unknown(_))));
}

#[test]
fn random_numbers_follow_the_documented_counters() {
    let mut g = Graph::new();
    let key = g.input("key", &[3], DType::U32).expect("a key");
    let uniform = g.random(RandomKind::Uniform, &[2, 5], key).expect("numbers");
    let normal = g.random(RandomKind::Normal, &[10_000], key).expect("numbers");
    g.output("uniform", uniform).expect("an output");
    g.output("normal", normal).expect("an output");
    let mut r = Reference::new();
    let plan = r.compile(&g).expect("a plan");
    let key = Tensor::new(vec![3], Data::U32(vec![17, 4_000_000_000, 9])).expect("three words");
    r.run(plan, &[key]).expect("a step");
    for (i, &v) in r.read_f64(plan, 0).expect("an output").iter().enumerate() {
        // The first random op of a graph has salt 1.
        let words = philox4x32([i as u32 / 4, 9, 1, 0], [17, 4_000_000_000]);
        assert_eq!(v, f64::from(words[i % 4] >> 8) / 16_777_216.0);
    }
    let normals = r.read_f64(plan, 1).expect("an output");
    let moment = |p: i32| normals.iter().map(|v| v.powi(p)).sum::<f64>() / 10_000.0;
    assert!(moment(1).abs() < 0.03 && (moment(2) - 1.0).abs() < 0.05 && moment(3).abs() < 0.1, "moments of a normal");
    assert!((moment(4) - 3.0).abs() < 0.3);
}

#[test]
fn wrong_inputs_are_refused() {
    let mut r = Reference::new();
    let plan = r.compile(&swap().expect("a graph")).expect("a plan");
    assert!(r.run(plan, &[]).is_err() && r.run(plan, &[Tensor::scalar(1.0)]).is_err());
    assert!(r.run_f64(plan, &[vec![1.0]]).is_err());
    assert!(r.read_f64(plan, 0).is_err(), "nothing has run");
}
