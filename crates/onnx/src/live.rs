//! Recording into a training or evaluation step: weights are the model's states.

use chiaro_graph::{Graph, Var};
use chiaro_nn::Context;

use crate::error::{OnnxError, Result};
use crate::host::Host;
use crate::sink::{NormNumbers, Sink};

/// The step that is being recorded.
pub(crate) struct Live<'c, 'g>(pub &'c mut Context<'g>);

impl Live<'_, '_> {
    /// Something of the model's, whose names are not below the node's path.
    fn outside<T>(&mut self, f: impl FnOnce(&mut Context<'_>) -> chiaro_graph::Result<T>) -> Result<T> {
        let path = self.0.graph().scope();
        let node = path.rsplit('/').next().unwrap_or_default().to_string();
        self.0.graph().pop_scope();
        let result = f(self.0);
        self.0.graph().push_scope(&node);
        Ok(result?)
    }
}

impl Sink for Live<'_, '_> {
    fn graph(&mut self) -> &mut Graph {
        self.0.graph()
    }

    fn parameter(&mut self, name: &str, _values: &Host) -> Result<Var> {
        self.outside(|ctx| ctx.parameter(name))
    }

    fn weight(&mut self, name: &str, _values: &Host) -> Result<Var> {
        self.outside(|ctx| ctx.weight(name))
    }

    fn operand(&mut self, x: Var) -> Result<Var> {
        Ok(self.0.operand(x)?)
    }

    fn batch_norm(&mut self, x: Var, names: &[String; 4], _values: &[Host; 4], numbers: NormNumbers) -> Result<Var> {
        let [scale, shift, mean, variance] = names;
        let keeps = self.outside(|ctx| ctx.keeps_statistics(shift))?;
        let (scale, shift) = self.outside(|ctx| Ok((ctx.parameter(scale)?, ctx.parameter(shift)?)))?;
        let (mean, variance) = self.outside(|ctx| Ok((ctx.statistic(mean)?, ctx.statistic(variance)?)))?;
        let g = self.0.graph();
        if keeps {
            let (mean, variance) = (g.state_value(mean)?, g.state_value(variance)?);
            return Ok(g.normalise(x, mean, variance, Some(scale), Some(shift), numbers.eps)?);
        }
        let shape = g.shape(x).to_vec();
        let rows: usize = shape[..shape.len() - 1].iter().product();
        if rows < 2 {
            return Err(OnnxError::node("training needs more than one value per channel"));
        }
        let (y, moments) = g.batch_norm(x, scale, shift, numbers.eps)?;
        let c = shape[shape.len() - 1];
        let unbiased = rows as f64 / (rows - 1) as f64;
        for (row, state, factor) in [(0, mean, 1.0), (1, variance, unbiased)] {
            let batch = self.0.graph().narrow(moments, 0, row, row + 1)?;
            let batch = self.0.graph().reshape(batch, &[c])?;
            self.0.update_running(state, batch, factor, numbers.momentum)?;
        }
        Ok(y)
    }
}
