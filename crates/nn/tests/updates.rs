//! What optimizers share, and those that look at whole parameters: rates, freezing, gathered gradients, averages, LAMB, Muon.

use chiaro_cpu::reference::Reference;
use chiaro_graph::{ARENA_ALIGNMENT, Backend, DType, Graph, PlanId, StateInfo, Tensor};
use chiaro_nn::{AdamW, Average, Decay, Frozen, Lamb, Muon, Optimizers, PARAMS, Sgd, average_of};

/// A 2x3 matrix and a vector of 2, each at a place of its own.
const SHAPES: [(&str, &[usize]); 2] = [("weight", &[2, 3]), ("bias", &[2])];

/// Two parameters with an optimizer on the reference.
struct Run {
    backend: Reference,
    plan: PlanId,
    optimizers: Optimizers,
    step: u64,
}

impl Run {
    fn new(optimizers: Optimizers) -> Run {
        let mut graph = Graph::new();
        let arena = graph.arena(PARAMS, DType::F32).expect("an arena");
        for (name, shape) in SHAPES {
            graph.state(arena, name, shape).expect("a state");
        }
        let gradient = graph.input("gradient", &[2 * ARENA_ALIGNMENT], DType::F32).expect("an input");
        let hyper = graph.input("hyper", &[optimizers.hyper_len()], DType::F32).expect("an input");
        optimizers.apply(&mut graph, arena, gradient, hyper, None).expect("recorded");
        let mut backend = Reference::new();
        let plan = backend.compile(&graph).expect("compiles");
        let [weight, bias] = start();
        for arena in graph.arenas() {
            let zero = flat(&[0.0; 6], &[0.0; 2]);
            let values = if arena.name == PARAMS { flat(&weight, &bias) } else { zero };
            backend.write_arena(&arena.name, &values).expect("an arena");
        }
        Run { backend, plan, optimizers, step: 0 }
    }

    /// A step with the gradients of this number, at the rate 0.1.
    fn step(&mut self, number: usize) {
        let [weight, bias] = gradients(number);
        self.step_with(&weight, &bias);
    }

    fn step_with(&mut self, weight: &[f64], bias: &[f64]) {
        let hyper = self.optimizers.hyper(0.1, self.step);
        self.backend.run(self.plan, &[flat(weight, bias), hyper]).expect("a step");
        self.step += 1;
    }

    fn arena(&mut self, name: &str) -> [Vec<f64>; 2] {
        let all = self.backend.read_arena(name).expect("an arena").to_f64();
        [all[..6].to_vec(), all[ARENA_ALIGNMENT..ARENA_ALIGNMENT + 2].to_vec()]
    }

    fn values(&mut self) -> [Vec<f64>; 2] {
        self.arena(PARAMS)
    }
}

fn flat(weight: &[f64], bias: &[f64]) -> Tensor {
    let mut all = vec![0.0f32; 2 * ARENA_ALIGNMENT];
    weight.iter().enumerate().for_each(|(i, &v)| all[i] = v as f32);
    bias.iter().enumerate().for_each(|(i, &v)| all[ARENA_ALIGNMENT + i] = v as f32);
    Tensor::f32([all.len()], all).expect("a vector")
}

fn start() -> [Vec<f64>; 2] {
    [vec![0.5, -1.0, 0.25, 2.0, -0.5, 1.0], vec![0.5, -0.25]]
}

fn gradients(number: usize) -> [Vec<f64>; 2] {
    let value = |i: usize| ((i * 7 + number * 5) % 11) as f64 / 8.0 - 0.5;
    [(0..6).map(value).collect(), (6..8).map(value).collect()]
}

#[track_caller]
fn close(got: &[Vec<f64>; 2], want: &[Vec<f64>; 2]) {
    let off = got.iter().flatten().zip(want.iter().flatten()).map(|(g, w)| (g - w).abs()).fold(0.0, f64::max);
    assert!(off < 2e-6, "{got:?}, expected {want:?}");
}

/// p - rate (g + decay p), of plain gradient descent.
fn descended(rate: f64, decay: f64) -> impl Fn((&f64, &f64)) -> f64 {
    move |(p, g)| p - rate * (g + decay * p)
}

#[test]
fn each_parameter_moves_at_its_own_rate() {
    let rate = |state: &StateInfo| if state.name == "bias" { 3.0 } else { 0.5 };
    let mut run = Run::new(Optimizers::new(Sgd::default()).rates(rate));
    run.step(1);
    let ([w, b], [gw, gb]) = (start(), gradients(1));
    let moved = |p: &[f64], g: &[f64], rate: f64| p.iter().zip(g).map(descended(rate, 0.0)).collect();
    close(&run.values(), &[moved(&w, &gw, 0.05), moved(&b, &gb, 0.3)]);
    // Decoupled decay falls with the rate too: without gradients AdamW does nothing else.
    let mut run = Run::new(Optimizers::new(AdamW { weight_decay: 0.5, ..AdamW::default() }).rates(rate));
    run.step_with(&[0.0; 6], &[0.0; 2]);
    let shrunk = |p: &[f64], share: f64| p.iter().map(|p| p * (1.0 - share)).collect();
    close(&run.values(), &[shrunk(&w, 0.025), shrunk(&b, 0.15)]);
}

#[test]
fn frozen_parameters_and_their_slots_stay_until_they_thaw() {
    let sgd = || Sgd { momentum: 0.9, weight_decay: 0.1, ..Sgd::default() };
    let frozen = |thaw| Optimizers::new(sgd()).freeze(Frozen::new(|s| s.name == "weight", thaw));
    let (mut thawing, mut fixed, mut free) =
        (Run::new(frozen(Some(2))), Run::new(frozen(None)), Run::new(sgd().into()));
    for number in 0..2 {
        [&mut thawing, &mut fixed, &mut free].into_iter().for_each(|run| run.step(number));
        assert_eq!(thawing.values()[0], start()[0], "frozen");
        assert_eq!(thawing.arena("optimizer.momentum_buffer")[0], vec![0.0; 6]);
        assert_eq!(thawing.values()[1], free.values()[1], "the other is not");
    }
    [&mut thawing, &mut fixed].into_iter().for_each(|run| run.step(2));
    assert_eq!(fixed.values()[0], start()[0], "frozen for ever");
    let [weight, _] = gradients(2);
    let want: Vec<f64> = start()[0].iter().zip(&weight).map(descended(0.1, 0.1)).collect();
    let got = thawing.values();
    close(&got, &[want, got[1].clone()]);
}

#[test]
fn gathered_gradients_move_parameters_as_their_mean_in_one_step() {
    for (gather, updates) in [(3u64, 2usize), (1, 4)] {
        let adam = || Optimizers::new(AdamW::default());
        let (mut gathered, mut whole) = (Run::new(adam().gather(gather)), Run::new(adam()));
        for update in 0..updates {
            let numbers: Vec<usize> = (0..gather as usize).map(|i| update * gather as usize + i).collect();
            let before = gathered.values();
            for (i, &number) in numbers.iter().enumerate() {
                gathered.step(number);
                assert_eq!(gathered.values() == before, i + 1 < numbers.len(), "only the last step moves them");
            }
            let mean = |part: usize| -> Vec<f64> {
                let all: Vec<Vec<f64>> = numbers.iter().map(|&n| gradients(n)[part].clone()).collect();
                (0..all[0].len()).map(|i| all.iter().map(|g| g[i]).sum::<f64>() / numbers.len() as f64).collect()
            };
            whole.step_with(&mean(0), &mean(1));
            close(&gathered.values(), &whole.values());
        }
        assert_eq!(gathered.optimizers.updates(gather * 5 + gather - 1), 5);
    }
}

#[test]
fn averages_follow_the_weights_by_their_shares() {
    let name = average_of(PARAMS);
    for average in [Average::Exponential { keep: 0.75 }, Average::Equal { from: 1, every: 2 }] {
        let mut run = Run::new(Optimizers::new(Sgd::default()).average(average));
        let mut plain = Run::new(Sgd::default().into());
        let mut want = [vec![0.0; 6], vec![0.0; 2]];
        for t in 0..6 {
            run.step(t);
            plain.step(t);
            let (now, keep) = (run.values(), average.kept(t as u64));
            assert_eq!(now, plain.values(), "the weights themselves are as without");
            for (old, new) in want.iter_mut().flatten().zip(now.iter().flatten()) {
                *old = keep * *old + (1.0 - keep) * new;
            }
            close(&run.arena(&name), &want);
        }
        assert_ne!(want, run.values());
    }
}

#[test]
fn with_lookahead_the_weights_go_back_to_their_average_every_few_updates() {
    let average = Average::Lookahead { keep: 0.5, every: 2, over: 6 };
    let mut run = Run::new(Optimizers::new(Sgd::default()).average(average));
    let (mut want, mut slow) = (start(), [vec![0.0; 6], vec![0.0; 2]]);
    for t in 0..8 {
        run.step(t);
        for (part, gradient) in gradients(t).iter().enumerate() {
            want[part].iter_mut().zip(gradient).for_each(|(w, g)| *w -= 0.1 * g);
        }
        let keep = average.kept(t as u64);
        if keep < 1.0 {
            for (old, new) in slow.iter_mut().flatten().zip(want.iter_mut().flatten()) {
                *old = keep * *old + (1.0 - keep) * *new;
                *new = *old;
            }
        }
        close(&run.values(), &want);
        close(&run.arena(&average_of(PARAMS)), &slow);
    }
}

#[test]
fn with_gathered_gradients_averages_move_at_updates_alone() {
    let average = Average::Exponential { keep: 0.75 };
    let mut run = Run::new(Optimizers::new(Sgd::default()).gather(2).average(average));
    let name = average_of(PARAMS);
    run.step(0);
    assert_eq!(run.arena(&name), [vec![0.0; 6], vec![0.0; 2]]);
    run.step(1);
    let (keep, now) = (average.kept(0), run.values());
    close(&run.arena(&name), &now.map(|part| part.iter().map(|v| (1.0 - keep) * v).collect()));
}

fn norm(v: &[f64]) -> f64 {
    v.iter().map(|v| v * v).sum::<f64>().sqrt()
}

#[test]
fn lamb_is_its_formula() {
    let lamb = Lamb { weight_decay: 0.1, ..Lamb::default() };
    let mut run = Run::new(Optimizers::new(lamb).decay(Decay::Weights));
    let (mut p, mut m, mut v) = (start(), [vec![0.0; 6], vec![0.0; 2]], [vec![0.0; 6], vec![0.0; 2]]);
    for t in 0..4 {
        run.step(t);
        let g = gradients(t);
        for part in 0..2 {
            let mut u = vec![];
            for i in 0..p[part].len() {
                m[part][i] = 0.9 * m[part][i] + 0.1 * g[part][i];
                v[part][i] = 0.999 * v[part][i] + 0.001 * g[part][i] * g[part][i];
                let [of_m, of_v] = [0.9f64, 0.999].map(|beta| 1.0 - beta.powi(t as i32 + 1));
                let decay = if part == 0 { 0.1 * p[part][i] } else { 0.0 };
                u.push(m[part][i] / of_m / ((v[part][i] / of_v).sqrt() + 1e-6) + decay);
            }
            let trust = if part == 0 { norm(&p[part]) / norm(&u) } else { 1.0 };
            p[part].iter_mut().zip(&u).for_each(|(p, u)| *p -= 0.1 * trust * u);
        }
        close(&run.values(), &p);
    }
}

#[test]
fn a_weight_of_zeros_is_moved_by_lamb_as_by_adam() {
    let mut run = Run::new(Lamb { weight_decay: 0.0, ..Lamb::default() }.into());
    run.backend.write_arena(PARAMS, &flat(&[0.0; 6], &[0.0; 2])).expect("an arena");
    run.step_with(&[1.0; 6], &[0.0; 2]);
    close(&run.values(), &[vec![-0.1 / (1.0 + 1e-6); 6], vec![0.0; 2]]);
}

/// The 2x3 matrix after Muon's five steps, by their formula.
fn orthogonal(m: &[f64]) -> Vec<f64> {
    let size = norm(m).max(1e-7);
    let mut x: Vec<f64> = m.iter().map(|v| v / size).collect();
    for _ in 0..5 {
        let at = |a: &[f64], i: usize, j: usize| (0..3).map(|k| a[3 * i + k] * a[3 * j + k]).sum::<f64>();
        let s = [at(&x, 0, 0), at(&x, 0, 1), at(&x, 1, 0), at(&x, 1, 1)];
        let s2 = [0, 1, 2, 3].map(|i| s[i / 2 * 2] * s[i % 2] + s[i / 2 * 2 + 1] * s[2 + i % 2]);
        let b: Vec<f64> = (0..4).map(|i| -4.775 * s[i] + 2.0315 * s2[i]).collect();
        x = (0..6).map(|i| 3.4445 * x[i] + b[i / 3 * 2] * x[i % 3] + b[i / 3 * 2 + 1] * x[3 + i % 3]).collect();
    }
    x
}

#[test]
fn muon_is_its_formula_and_moves_vectors_as_adamw_does() {
    let muon = Muon { momentum: 0.9, weight_decay: 0.2, others: AdamW::default() };
    let mut run = Run::new(Optimizers::new(muon).decay(Decay::Weights));
    let mut adam = Run::new(Optimizers::new(AdamW { weight_decay: 0.0, ..AdamW::default() }));
    let (mut p, mut kept) = (start()[0].clone(), vec![0.0; 6]);
    for t in 0..4 {
        run.step(t);
        adam.step(t);
        let g = &gradients(t)[0];
        kept.iter_mut().zip(g).for_each(|(k, g)| *k = 0.9 * *k + 0.1 * g);
        let ahead: Vec<f64> = kept.iter().zip(g).map(|(k, g)| 0.9 * k + 0.1 * g).collect();
        let direction = orthogonal(&ahead);
        let scale = 0.2 * 3f64.sqrt();
        p.iter_mut().zip(&direction).for_each(|(p, d)| *p = *p * (1.0 - 0.1 * 0.2) - 0.1 * scale * d);
        let [_, bias] = adam.values();
        close(&run.values(), &[p.clone(), bias]);
    }
}
