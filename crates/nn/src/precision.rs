//! In which precision a training step computes, and the 16-bit copies of weights that its layers take.
//!
//! With [`Precision::F16`] images and weights are rounded to 16 bits where a convolution or dense layer takes them, and what layers
//! pass on, forward and backward, is stored in 16 bits. Sums are 32-bit, and so are parameters, their gradients, statistics, the
//! logits, the loss and the optimizer: there updates would be lost that are small beside their weight (arXiv:1710.03740).

use crate::arena::PARAMS;
use crate::context::{Context, Declarations, Places};
use crate::declare::StateKind;
use crate::loss_scale::{LossScale, Scaling};
use crate::models::Model;
use chiaro_graph::shape::count;
use chiaro_graph::{DType, Graph, Result, StateId, Var};

/// In which precision a training step computes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Precision {
    /// 32 bits everywhere.
    #[default]
    F32,
    /// 16-bit images, weight copies, activations and their gradients; the loss is scaled so that these do not vanish.
    F16(LossScale),
}

impl Precision {
    /// 16 bits with the usual loss scale.
    pub fn f16() -> Precision {
        Precision::F16(LossScale::default())
    }
}

/// What a step needs for its precision, declared before its layers: copies of the weights, and the loss scale.
pub(crate) fn declare(
    graph: &mut Graph,
    model: &Model,
    precision: Precision,
) -> crate::Result<(Option<HalfWeights>, Option<Scaling>)> {
    let Precision::F16(settings) = precision else { return Ok((None, None)) };
    let half = HalfWeights::declare(graph, model)?;
    Ok((Some(half), Some(Scaling::declare(graph, settings)?)))
}

/// Each parameter in the forms in which layers took it: a 16-bit copy, itself, or both, one behind the other.
pub(crate) fn parameters_as_taken(graph: &mut Graph, declarations: &Declarations) -> Result<Vec<(StateId, Var)>> {
    let mut taken = vec![];
    for state in declarations.parameters.iter().map(|d| d.state) {
        let half = declarations.halves.iter().find(|h| h.state == state);
        taken.extend(half.map(|h| (state, h.value)));
        if half.is_none() || declarations.plain.contains(&state) {
            taken.push((state, graph.state_value(state)?));
        }
    }
    Ok(taken)
}

/// A 16-bit copy of a parameter that layers took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HalfWeight {
    pub state: StateId,
    pub value: Var,
}

/// The 16-bit copy of all parameters.
pub(crate) struct HalfWeights {
    copy: Var,
    taken: Vec<HalfWeight>,
}

impl HalfWeights {
    /// Declares a model's parameters and rounds their arena, all in one call.
    pub fn declare(graph: &mut Graph, model: &Model) -> Result<HalfWeights> {
        Places::default().put(graph, model.declared(), StateKind::Parameter)?;
        let params = graph.arena(PARAMS, DType::F32)?;
        let copy = graph.scoped("weights", |g| {
            let all = g.arena_values(params)?;
            g.cast(all, DType::F16)
        })?;
        Ok(HalfWeights { copy, taken: vec![] })
    }

    /// The copy of one parameter.
    fn value(&mut self, graph: &mut Graph, state: StateId) -> Result<Var> {
        if let Some(taken) = self.taken.iter().find(|t| t.state == state) {
            return Ok(taken.value);
        }
        let info = graph.states()[state.index()].clone();
        let flat = graph.narrow(self.copy, 0, info.offset, info.offset + count(&info.shape))?;
        let value = graph.reshape(flat, &info.shape)?;
        self.taken.push(HalfWeight { state, value });
        Ok(value)
    }

    /// The copies that were taken.
    pub fn taken(self) -> Vec<HalfWeight> {
        self.taken
    }
}

impl Context<'_> {
    /// A parameter as products take it: itself or, in 16-bit training, its copy. See [`Context::parameter`].
    ///
    /// # Errors
    /// If the layer has not declared it.
    pub fn weight(&mut self, name: &str) -> Result<Var> {
        let state = self.declared(name)?;
        let (graph, half) = self.graph_and_half();
        match half {
            Some(half) => half.value(graph, state),
            None => self.parameter(name),
        }
    }

    /// A value as products take it: rounded to 16 bits in 16-bit training.
    ///
    /// # Errors
    /// If x is of another graph.
    pub fn operand(&mut self, x: Var) -> Result<Var> {
        match self.graph_and_half() {
            (graph, Some(_)) => graph.cast(x, DType::F16),
            (_, None) => Ok(x),
        }
    }

    /// y + bias, computed in the bias' type and stored in that of y.
    ///
    /// # Errors
    /// If the shapes do not broadcast.
    pub fn add_bias(&mut self, y: Var, bias: Var) -> Result<Var> {
        let graph = self.graph();
        let (stored, wide) = (graph.dtype(y), graph.cast(y, graph.dtype(bias))?);
        let sum = graph.add(wide, bias)?;
        graph.cast(sum, stored)
    }

    /// x + y of two layers, of which one may not have met a product yet and so still be 32-bit.
    ///
    /// # Errors
    /// If the shapes do not broadcast.
    pub fn sum(&mut self, x: Var, y: Var) -> Result<Var> {
        let graph = self.graph();
        if graph.dtype(x) == graph.dtype(y) {
            return graph.add(x, y);
        }
        let (x, y) = (self.operand(x)?, self.operand(y)?);
        self.graph().add(x, y)
    }
}
