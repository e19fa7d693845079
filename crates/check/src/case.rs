//! A case: a small graph over seeded inputs, from which the forward and the backward checks are derived.

use crate::draw::{Draw, seed};
use chiaro_graph::{DType, Graph, Result, Tensor, Var};

/// How near a 32-bit backend must come to the reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tolerance {
    /// Copies and selections, integers and truth values.
    Exact,
    /// Rounding of a sum of this many terms (1 for elementwise ops).
    Sum(usize),
    /// Values stored in 16 bits.
    Half,
    /// A loss of a whole network, whose gradients pass many layers.
    Network,
}

/// What finite differences must heed about the inputs of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kink {
    /// Nothing: the op is smooth around them.
    None,
    /// Ties whose first element gets the gradient. Differences are taken beside them, where each element is a little less
    /// than its equals before it.
    FirstOfEquals,
    /// They sit on kinks where the gradient is a convention. No differences exist; golden values check the convention.
    Convention,
}

impl Tolerance {
    /// Largest normwise relative error of the result.
    pub fn limit(self) -> f64 {
        match self {
            Tolerance::Exact => 1e-7,
            Tolerance::Network => 1e-5,
            Tolerance::Sum(_) | Tolerance::Half => self.gradient_limit(),
        }
    }

    /// Largest normwise relative error of a gradient; gradients of copies are sums.
    pub fn gradient_limit(self) -> f64 {
        match self {
            Tolerance::Exact => 1e-5,
            Tolerance::Sum(terms) => (2e-7 * (terms as f64).sqrt()).max(1e-5),
            // Measured: at most 7.7e-4, software Vulkan without fusion.
            Tolerance::Half => 2e-3,
            Tolerance::Network => 1e-4,
        }
    }
}

/// An input of a case.
#[derive(Clone, Debug)]
pub struct CaseInput {
    /// Name in the graph.
    pub name: String,
    /// Value.
    pub value: Tensor,
    /// Gradients with respect to it are checked.
    pub differentiable: bool,
}

type BuildCase = Box<dyn Fn(&mut Graph, &[Var]) -> Result<Var> + Send + Sync>;

/// A case of the table.
pub struct Case {
    /// Unique name, `family/what is special`.
    pub name: String,
    /// The inputs, in the graph's order.
    pub inputs: Vec<CaseInput>,
    /// How near a backend must come.
    pub tolerance: Tolerance,
    /// Kinks at the inputs.
    pub kink: Kink,
    /// Steps to run; more than one where states matter.
    pub steps: usize,
    build: BuildCase,
}

impl Case {
    /// A case without inputs.
    pub fn new(
        name: impl Into<String>,
        build: impl Fn(&mut Graph, &[Var]) -> Result<Var> + Send + Sync + 'static,
    ) -> Case {
        Case {
            name: name.into(),
            inputs: vec![],
            tolerance: Tolerance::Sum(1),
            kink: Kink::None,
            steps: 1,
            build: Box::new(build),
        }
    }

    /// Adds a float input that is differentiated.
    pub fn float(self, name: &str, shape: &[usize], draw: Draw) -> Case {
        self.input(name, shape, DType::F32, draw, true)
    }

    /// Adds an input without a gradient.
    pub fn fixed(self, name: &str, shape: &[usize], dtype: DType, draw: Draw) -> Case {
        self.input(name, shape, dtype, draw, false)
    }

    /// Adds an input of any type.
    pub fn input(mut self, name: &str, shape: &[usize], dtype: DType, draw: Draw, differentiable: bool) -> Case {
        let value = draw.tensor(seed(&self.name), self.inputs.len() as u32, shape, dtype);
        self.inputs.push(CaseInput { name: name.into(), value, differentiable });
        self
    }

    /// Each element of the result is a sum of this many terms.
    pub fn terms(mut self, terms: usize) -> Case {
        self.tolerance = Tolerance::Sum(terms);
        self
    }

    /// The result consists of copies, integers or truth values.
    pub fn exact(mut self) -> Case {
        self.tolerance = Tolerance::Exact;
        self
    }

    /// The values are stored in 16 bits.
    pub fn half(mut self) -> Case {
        self.tolerance = Tolerance::Half;
        self
    }

    /// The result is the loss of a network.
    pub fn network(mut self) -> Case {
        self.tolerance = Tolerance::Network;
        self
    }

    /// The inputs have kinks.
    pub fn kink(mut self, kink: Kink) -> Case {
        self.kink = kink;
        self
    }

    /// Runs several steps.
    pub fn steps(mut self, steps: usize) -> Case {
        self.steps = steps;
        self
    }

    /// The part of the name before the slash.
    pub fn family(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }

    /// The values of the inputs.
    pub fn values(&self) -> Vec<Tensor> {
        self.inputs.iter().map(|i| i.value.clone()).collect()
    }

    fn record(&self) -> Result<(Graph, Vec<Var>, Var)> {
        let mut g = Graph::new();
        let mut vars = vec![];
        for i in &self.inputs {
            vars.push(g.input(&i.name, i.value.shape(), i.value.dtype())?);
        }
        let y = (self.build)(&mut g, &vars)?;
        Ok((g, vars, y))
    }

    /// The graph with one output, `output`.
    ///
    /// # Errors
    /// If the case is wrong.
    pub fn forward(&self) -> Result<Graph> {
        let (mut g, _, y) = self.record()?;
        g.output("output", y)?;
        Ok(g)
    }

    /// True if the result is a float that depends on a differentiable input.
    ///
    /// # Errors
    /// If the case is wrong.
    pub fn has_gradient(&self) -> Result<bool> {
        let (g, _, y) = self.record()?;
        Ok(g.dtype(y).is_float() && self.inputs.iter().any(|i| i.differentiable))
    }

    /// The graph with the gradients of the inputs `wrt` as outputs `grad_<name>` behind `output`. Its last input is the
    /// cotangent of the output.
    ///
    /// # Errors
    /// If the case is wrong.
    pub fn backward(&self, wrt: &[usize]) -> Result<Graph> {
        let (mut g, vars, y) = self.record()?;
        g.output("output", y)?;
        let (shape, dtype) = (g.shape(y).to_vec(), g.dtype(y));
        let cotangent = g.input("cotangent", &shape, dtype)?;
        let asked: Vec<Var> = wrt.iter().map(|&i| vars[i]).collect();
        let gradients = g.grad(y, Some(cotangent), &asked)?;
        for (&i, gradient) in wrt.iter().zip(gradients) {
            g.output(&format!("grad_{}", self.inputs[i].name), gradient)?;
        }
        Ok(g)
    }

    /// A random cotangent of the result, not centred at 0.
    ///
    /// # Errors
    /// If the case is wrong.
    pub fn cotangent(&self) -> Result<Tensor> {
        let (g, _, y) = self.record()?;
        Ok(Draw::NormalAround(0.25, 1.0).tensor(seed(&self.name), u32::MAX, g.shape(y), g.dtype(y)))
    }

    /// The sets of inputs with respect to which gradients are taken: all together, then every strict subset of up to 3. Of a
    /// network with more than 5 parameters all together alone.
    pub fn subsets(&self) -> Vec<Vec<usize>> {
        let all: Vec<usize> = (0..self.inputs.len()).filter(|&i| self.inputs[i].differentiable).collect();
        let mut sets = vec![all.clone()];
        if all.len() > 5 {
            return sets;
        }
        for mask in 1..(1usize << all.len()) {
            let set: Vec<usize> = (0..all.len()).filter(|b| mask >> b & 1 == 1).map(|b| all[b]).collect();
            if set.len() <= 3 && set.len() < all.len() {
                sets.push(set);
            }
        }
        sets
    }
}
