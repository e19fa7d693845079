//! LSTM, GRU and RNN, one step after the other.

use chiaro_graph::{Graph, Var};

use crate::call::Call;
use crate::error::{OnnxError, Result};
use crate::record::Recorder;
use crate::value::Value;

/// What all three have: inputs `[time, batch, features]`, weights a direction, and a state to begin with.
struct Layer {
    x: Vec<Var>,
    weights: Vec<[Var; 2]>,
    biases: Vec<Option<[Var; 2]>>,
    hidden: usize,
    batch: usize,
}

/// The part of a value that is of one direction.
fn part(g: &mut Graph, v: Var, d: usize) -> Result<Var> {
    let shape = g.shape(v)[1..].to_vec();
    let one = g.narrow(v, 0, d, d + 1)?;
    Ok(g.reshape(one, &shape)?)
}

/// Steps of a sequence, each of which is recorded.
const MOST_STEPS: usize = 4096;

impl Layer {
    fn of<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Layer> {
        let whole = match r.known_if(call, 4)? {
            Some(lengths) => {
                let x = r.value(call, 0)?;
                let time = r.shape(&x).first().copied().unwrap_or(0) as i64;
                lengths.to_ints()?.iter().all(|&n| n == time)
            }
            None => true,
        };
        if call.flag("layout", false) || !whole || call.has("clip") || call.flag("input_forget", false) {
            return Err(OnnxError::node(
                "layout 1, sequences of several lengths, clip and input_forget are not supported",
            ));
        }
        if let Some(names) = call.texts("activations")
            && !names.iter().all(|n| ["Sigmoid", "Tanh"].contains(&n.as_str()))
        {
            return Err(OnnxError::node(format!("activations {names:?} are not supported")));
        }
        let x = r.input(call, 0)?;
        let (w, u) = (r.weight(call, 1, &[])?, r.weight(call, 2, &[])?);
        let b = if call.input(3).is_some() { Some(r.parameter(call, 3, &[])?) } else { None };
        let g = r.graph();
        let &[time, batch, _] = g.shape(x) else { return Err(OnnxError::node("x must be [time, batch, features]")) };
        if time > MOST_STEPS {
            return Err(OnnxError::node(format!("a sequence of {time} steps; up to {MOST_STEPS} are recorded")));
        }
        let steps = (0..time).map(|t| part(g, x, t)).collect::<Result<_>>()?;
        let (&[directions, _, _], &[_, _, hidden]) = (g.shape(w), g.shape(u)) else {
            return Err(OnnxError::node("weights must have 3 axes: directions, gates, features"));
        };
        let (mut weights, mut biases) = (vec![], vec![]);
        for d in 0..directions {
            weights.push([part(g, w, d)?, part(g, u, d)?]);
            biases.push(match b {
                Some(b) => {
                    let both = part(g, b, d)?;
                    let &[len] = g.shape(both) else {
                        return Err(OnnxError::node("biases must have 2 axes: directions, gates"));
                    };
                    let half = len / 2;
                    Some([g.narrow(both, 0, 0, half)?, g.narrow(both, 0, half, 2 * half)?])
                }
                None => None,
            });
        }
        Ok(Layer { x: steps, weights, biases, hidden, batch })
    }

    /// The state of a direction to begin with.
    fn start<'a>(&self, r: &mut Recorder<'a>, call: &Call<'a>, i: usize, d: usize) -> Result<Var> {
        if call.input(i).is_some() {
            let all = r.input(call, i)?;
            return part(r.graph(), all, d);
        }
        Ok(r.graph().full(&[self.batch, self.hidden], 0.0, chiaro_graph::DType::F32)?)
    }

    /// `x w'` with its bias: of the input (0) or of the state (1).
    fn through(&self, g: &mut Graph, d: usize, which: usize, x: Var) -> Result<Var> {
        Ok(g.linear(x, self.weights[d][which], self.biases[d].map(|b| b[which]))?)
    }

    /// A gate's columns.
    fn gate(&self, g: &mut Graph, all: Var, i: usize) -> Result<Var> {
        Ok(g.narrow(all, 1, i * self.hidden, (i + 1) * self.hidden)?)
    }

    /// Runs all directions; `step` gives the next states of the states before, the first of which is the output.
    fn run<'a>(
        &self,
        r: &mut Recorder<'a>,
        call: &Call<'a>,
        states: &[usize],
        step: impl Fn(&Layer, &mut Graph, usize, Var, &[Var]) -> Result<Vec<Var>>,
    ) -> Result<Vec<Value>> {
        let direction = call.text("direction", "forward");
        let (n, d) = (self.batch, self.weights.len());
        let mut outputs: Vec<Vec<Var>> = vec![vec![]; self.x.len()];
        let mut last: Vec<Vec<Var>> = vec![vec![]; states.len()];
        for at in 0..d {
            let mut state: Vec<Var> = states.iter().map(|&i| self.start(r, call, i, at)).collect::<Result<_>>()?;
            let backward = direction == "reverse" || at == 1;
            let times: Vec<usize> =
                if backward { (0..self.x.len()).rev().collect() } else { (0..self.x.len()).collect() };
            let g = r.graph();
            for t in times {
                state = step(self, g, at, self.x[t], &state)?;
                outputs[t].push(g.reshape(state[0], &[1, n, self.hidden])?);
            }
            for (slot, v) in last.iter_mut().zip(&state) {
                slot.push(g.reshape(*v, &[1, n, self.hidden])?);
            }
        }
        let g = r.graph();
        let mut steps = vec![];
        for one in &outputs {
            let all = g.concat(one, 0)?;
            steps.push(g.reshape(all, &[1, d, n, self.hidden])?);
        }
        let mut results = vec![g.concat(&steps, 0)?];
        for slot in &last {
            results.push(g.concat(slot, 0)?);
        }
        Ok(results.into_iter().flat_map(|v| r.plain(v)).collect())
    }
}

pub(crate) fn rnn<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let layer = Layer::of(r, call)?;
    layer.run(r, call, &[5], |layer, g, d, x, state| {
        let (a, b) = (layer.through(g, d, 0, x)?, layer.through(g, d, 1, state[0])?);
        let sum = g.add(a, b)?;
        Ok(vec![g.tanh(sum)?])
    })
}

/// Gates in the order input, output, forget, cell.
pub(crate) fn lstm<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let layer = Layer::of(r, call)?;
    let peepholes = if call.input(7).is_some() { Some(r.parameter(call, 7, &[])?) } else { None };
    layer.run(r, call, &[5, 6], |layer, g, d, x, state| {
        let (a, b) = (layer.through(g, d, 0, x)?, layer.through(g, d, 1, state[0])?);
        let all = g.add(a, b)?;
        let peep = |g: &mut Graph, gate: Var, i: usize, cell: Var| -> Result<Var> {
            let Some(p) = peepholes else { return Ok(gate) };
            let p = part(g, p, d)?;
            let p = g.narrow(p, 0, i * layer.hidden, (i + 1) * layer.hidden)?;
            let seen = g.mul(p, cell)?;
            Ok(g.add(gate, seen)?)
        };
        let mut gates = vec![];
        for i in 0..4 {
            gates.push(layer.gate(g, all, i)?);
        }
        let (input, forget) = (peep(g, gates[0], 0, state[1])?, peep(g, gates[2], 2, state[1])?);
        let (input, forget, new) = (g.sigmoid(input)?, g.sigmoid(forget)?, g.tanh(gates[3])?);
        let (kept, added) = (g.mul(forget, state[1])?, g.mul(input, new)?);
        let cell = g.add(kept, added)?;
        let output = peep(g, gates[1], 1, cell)?;
        let output = g.sigmoid(output)?;
        let shown = g.tanh(cell)?;
        Ok(vec![g.mul(output, shown)?, cell])
    })
}

/// Gates in the order update, reset, hidden.
pub(crate) fn gru<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let layer = Layer::of(r, call)?;
    let before = !call.flag("linear_before_reset", false);
    layer.run(r, call, &[5], |layer, g, d, x, state| {
        let (a, b) = (layer.through(g, d, 0, x)?, layer.through(g, d, 1, state[0])?);
        let mut gates = vec![];
        for i in 0..2 {
            let (a, b) = (layer.gate(g, a, i)?, layer.gate(g, b, i)?);
            let sum = g.add(a, b)?;
            gates.push(g.sigmoid(sum)?);
        }
        let own = layer.gate(g, a, 2)?;
        let past = if before {
            let kept = g.mul(gates[1], state[0])?;
            let all = layer.through(g, d, 1, kept)?;
            layer.gate(g, all, 2)?
        } else {
            let all = layer.gate(g, b, 2)?;
            g.mul(gates[1], all)?
        };
        let new = g.add(own, past)?;
        let new = g.tanh(new)?;
        let change = g.sub(state[0], new)?;
        let kept = g.mul(gates[0], change)?;
        Ok(vec![g.add(new, kept)?])
    })
}
