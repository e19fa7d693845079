//! Reinforcement learning: a pole on a cart, pushed left or right so that it stays up, learnt by a policy gradient (REINFORCE, Williams
//! 1992). Physics and limits are those of Barto, Sutton and Anderson (1983) as Gym's CartPole-v0 has them: a reward of 1 a step, 200 steps
//! at most, and the task counts as solved at a mean of 195.
//!
//! 32 carts move at once: the device gives the probabilities of all their pushes in one step, and learns from all their steps in another.
//! Tutorials often multiply by the whole reward of an episode; what came before a push is not its doing, so that here each push is judged
//! by what follows it, less what is usual at that time.
//!
//! `cargo run --release --example cart_pole -- [--device NAME] [rounds]`

use std::error::Error;
use std::path::Path;

use chiaro::graph::{Shared, philox4x32};
use chiaro::nn::{Activation, Adam, Linear, OwnStep, Sequential};
use chiaro::train::Learner;
use chiaro::{DType, Tensor};

mod drawing;
mod start;

const CARTS: usize = 32;
const LIMIT: usize = 200;
/// What a push counts for so many steps later.
const DISCOUNT: f64 = 0.99;

/// Place and speed of the cart, angle and speed of the pole.
type State = [f64; 4];

/// A number from 0 to 1 for a use of its own.
fn random(seed: u32, round: usize, step: usize, cart: usize) -> f64 {
    f64::from(philox4x32([round as u32, step as u32, cart as u32, 0x706f_6c65], [seed, 0])[0]) / 4_294_967_296.0
}

/// The state a fiftieth of a second later, with a push of 10 newtons.
fn pushed([x, speed, angle, turn]: State, right: bool) -> State {
    // Gravity; masses of the cart and the pole, and half the pole's length.
    let (gravity, cart, pole, half) = (9.8, 1.0, 0.1, 0.5);
    let force = if right { 10.0 } else { -10.0 };
    let (sin, cos) = angle.sin_cos();
    let swing = (force + pole * half * turn * turn * sin) / (cart + pole);
    let turning = (gravity * sin - cos * swing) / (half * (4.0 / 3.0 - pole * cos * cos / (cart + pole)));
    let moving = swing - pole * half * turning * cos / (cart + pole);
    [x + 0.02 * speed, speed + 0.02 * moving, angle + 0.02 * turn, turn + 0.02 * turning]
}

fn has_fallen([x, _, angle, _]: State) -> bool {
    x.abs() > 2.4 || angle.abs() > 12f64.to_radians()
}

fn policy() -> Sequential {
    Sequential::new().named("fc1", Linear::new(32)).then(Activation::Tanh).named("fc2", Linear::new(1))
}

/// The probability of a push to the right for each cart.
fn asking() -> chiaro::nn::Result<OwnStep> {
    OwnStep::asking(&[("states", &[CARTS, 4], DType::F32)], |ctx, given| {
        let logit = ctx.call("policy", &policy(), given[0])?;
        let right = ctx.graph().sigmoid(logit)?;
        ctx.graph().output("right", right)
    })
}

/// Pushes that did better than usual become more probable: the mean over all of -log p(push) times how much better.
fn training() -> chiaro::nn::Result<OwnStep> {
    const ROWS: usize = CARTS * LIMIT;
    let inputs = [
        ("states", &[ROWS, 4][..], DType::F32),
        ("pushes", &[ROWS, 1], DType::F32),
        ("better", &[ROWS, 1], DType::F32),
    ];
    OwnStep::training(&inputs, Adam::default(), |ctx, given| {
        let logit = ctx.call("policy", &policy(), given[0])?;
        let g = ctx.graph();
        let each = g.bce_with_logits(logit, given[1], None, chiaro::graph::Reduction::None)?;
        let weighed = g.mul(each, given[2])?;
        let sum = g.sum_all(weighed)?;
        g.mul(sum, 1.0 / ROWS as f64)
    })
}

/// What the carts did in a round.
struct Round {
    /// Of each cart its states and pushes, step by step.
    steps: Vec<Vec<(State, bool)>>,
}

impl Round {
    /// Lets all carts go until each has fallen or 200 steps are over.
    fn play(asker: &mut Learner, seed: u32, number: usize) -> Result<Round, Box<dyn Error>> {
        let begin = |cart| [0, 1, 2, 3].map(|part| 0.1 * random(seed, number, LIMIT + part, cart) - 0.05);
        let mut states: Vec<State> = (0..CARTS).map(begin).collect();
        let mut steps: Vec<Vec<(State, bool)>> = vec![vec![]; CARTS];
        for step in 0..LIMIT {
            let up: Vec<usize> = (0..CARTS).filter(|&cart| !has_fallen(states[cart])).collect();
            if up.is_empty() {
                break;
            }
            let seen = states.iter().flatten().map(|&v| v as f32).collect();
            let right = asker.ask(&[Tensor::f32([CARTS, 4], seen).ok_or("four numbers a cart")?])?.remove(0);
            for cart in up {
                let push = random(seed, number, step, cart) < right[cart];
                steps[cart].push((states[cart], push));
                states[cart] = pushed(states[cart], push);
            }
        }
        Ok(Round { steps })
    }

    fn reward(&self) -> f64 {
        self.steps.iter().map(Vec::len).sum::<usize>() as f64 / CARTS as f64
    }

    /// The inputs of a training step: rows of all carts, those after a fall with a weight of 0.
    fn inputs(&self) -> Option<[Tensor; 3]> {
        let follows = |len: usize, at: usize| (1.0 - DISCOUNT.powi((len - at) as i32)) / (1.0 - DISCOUNT);
        let usual = |at: usize| {
            let there: Vec<f64> = self.steps.iter().filter(|s| s.len() > at).map(|s| follows(s.len(), at)).collect();
            there.iter().sum::<f64>() / there.len().max(1) as f64
        };
        let usual: Vec<f64> = (0..LIMIT).map(usual).collect();
        let mut better = vec![0.0; CARTS * LIMIT];
        let (mut states, mut pushes) = (vec![0.0f32; 4 * CARTS * LIMIT], vec![0.0f32; CARTS * LIMIT]);
        for (cart, steps) in self.steps.iter().enumerate() {
            for (at, (state, push)) in steps.iter().enumerate() {
                let row = cart * LIMIT + at;
                (0..4).for_each(|part| states[4 * row + part] = state[part] as f32);
                pushes[row] = f32::from(u8::from(*push));
                better[row] = follows(steps.len(), at) - usual[at];
            }
        }
        let count = self.steps.iter().map(Vec::len).sum::<usize>() as f64;
        let spread = (better.iter().map(|b| b * b).sum::<f64>() / count).sqrt().max(1e-6);
        let better = better.into_iter().map(|b| (b / spread) as f32).collect();
        let rows = CARTS * LIMIT;
        Some([Tensor::f32([rows, 4], states)?, Tensor::f32([rows, 1], pushes)?, Tensor::f32([rows, 1], better)?])
    }
}

/// Learns for so many rounds, draws the rewards, and gives the mean reward of the last hundred episodes and more.
pub fn run(device: &Shared, rounds: usize, picture: &Path) -> Result<f64, Box<dyn Error>> {
    let mut learner = Learner::new(device, training()?, 2)?;
    let mut asker = Learner::new(device, asking()?, 0)?;
    let mut rewards: Vec<[f64; 2]> = vec![];
    for number in 0..rounds {
        let round = Round::play(&mut asker, 1, number)?;
        rewards.push([number as f64, round.reward()]);
        if (number + 1) % 10 == 0 {
            println!("round {}: mean reward {:.1}", number + 1, round.reward());
        }
        learner.step(&round.inputs().ok_or("a row a step")?, if number * 3 < rounds * 2 { 0.02 } else { 0.005 })?;
    }
    // Episodes that were not learnt from.
    let test: Vec<f64> =
        (0..4).map(|number| Ok(Round::play(&mut asker, 2, number)?.reward())).collect::<Result<_, Box<dyn Error>>>()?;
    let mean = test.iter().sum::<f64>() / test.len() as f64;
    println!("mean reward of {} new episodes: {mean:.1}; solved from 195 on", CARTS * test.len());
    let mut chart = drawing::Chart::new([640, 400], "mean reward by round", [0.0, rounds as f64], [0.0, LIMIT as f64]);
    chart.curve(&rewards, drawing::COLOURS[0]);
    chart.save(picture)?;
    asker.close()?;
    learner.close()?;
    Ok(mean)
}

#[allow(dead_code, reason = "a test has its own")]
fn main() -> Result<(), start::Failure> {
    let (device, arguments) = start::device(include_str!("cart_pole.rs"))?;
    let rounds = start::count(&arguments, 0, "rounds", 80)?;
    run(&device.share(), rounds, "cart_pole.png".as_ref())?;
    Ok(())
}
