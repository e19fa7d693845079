//! What planning and differentiation ask of an op. Each op answers in its family's file; the table here says which answer is whose, and
//! the compiler names a new op until it stands in it.

use super::{conv, elementwise, index, joining, loss, matmul, movement, norm, pool, random, reduce, softmax};
use crate::error::{GraphError, Result};
use crate::graph::{Graph, Var};
use crate::op::{GradientRule, Op};
use crate::plan::Kernel;

/// How a node takes part in a plan.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Already in a buffer: inputs, states, constants.
    Leaf,
    /// Computed point by point wherever it is used.
    Pointwise,
    /// Elements moved, nothing computed.
    Movement,
    /// Runs over its operand's points: sums, maxima.
    Reduce,
    /// A kernel of its own, or parts put into one buffer.
    Structural,
}

/// A node whose kernel is asked for.
pub(crate) struct NodeShapes<'a> {
    pub graph: &'a Graph,
    pub node: Var,
}

impl NodeShapes<'_> {
    /// The shape of an operand.
    pub fn operand(&self, number: usize) -> &[usize] {
        self.graph.shape(self.graph.node(self.node).inputs[number])
    }

    /// How many operands there are.
    pub fn operands(&self) -> usize {
        self.graph.node(self.node).inputs.len()
    }

    /// The shape of the result.
    pub fn result(&self) -> &[usize] {
        self.graph.shape(self.node)
    }
}

/// A node whose operands' cotangents are asked for.
pub(crate) struct Backward<'a> {
    pub graph: &'a mut Graph,
    /// The result.
    pub node: Var,
    /// Its cotangent.
    pub d: Var,
    /// The operands.
    pub inputs: Vec<Var>,
    /// Which values are worth the work.
    pub needed: &'a dyn Fn(Var) -> bool,
}

/// The cotangent of each operand that has one.
pub(crate) type Cotangents = Result<Vec<Option<Var>>>;

impl Backward<'_> {
    /// The first operand.
    pub fn x(&self) -> Var {
        self.inputs[0]
    }

    /// Whether an operand is there and its cotangent is wanted.
    pub fn needs(&self, number: usize) -> bool {
        self.inputs.get(number).is_some_and(|&v| (self.needed)(v))
    }

    /// The shape of an operand.
    pub fn shape(&self, number: usize) -> Vec<usize> {
        self.graph.shape(self.inputs[number]).to_vec()
    }

    /// The answer of an op through which no gradient flows.
    pub fn refused(&self, what: &str) -> Cotangents {
        let (name, path) = (self.graph.node(self.node).op.name(), self.graph.path(self.node));
        Err(GraphError::NotDifferentiable(format!("{what}{name} in {path:?}")))
    }
}

/// The cotangent of an op's only operand.
pub(crate) fn one(cotangent: Result<Var>) -> Cotangents {
    cotangent.map(|d| vec![Some(d)])
}

/// What an op answers.
pub(crate) trait Rules {
    /// How it takes part in a plan.
    fn role(&self) -> Role;
    /// Its kernel, if it has one of its own; others are traced into programs.
    fn kernel(&self, place: &NodeShapes) -> Option<Kernel>;
    /// Cotangents of its operands from that of its result.
    fn gradient(&self, at: Backward) -> Cotangents;
}

/// Inputs, states and constants: in a buffer before the step begins.
struct InBuffer;

impl Rules for InBuffer {
    fn role(&self) -> Role {
        Role::Leaf
    }

    fn kernel(&self, _: &NodeShapes) -> Option<Kernel> {
        None
    }

    fn gradient(&self, _: Backward) -> Cotangents {
        Ok(vec![])
    }
}

/// Evaluates an expression with the answers of an op.
macro_rules! with_rules {
    ($op:expr, $rules:ident => $value:expr) => {{
        macro_rules! of {
            ($answers:expr) => {{
                let $rules = $answers;
                $value
            }};
        }
        match $op {
            Op::Input(_) | Op::State(_) | Op::Arena(_) | Op::Constant(_) => of!(InBuffer),
            Op::Scalar(_) => of!(elementwise::Number),
            Op::Map(op) => of!(elementwise::Map(*op)),
            Op::Cast(_) => of!(elementwise::Cast),
            Op::Iota => of!(index::Iota),
            Op::Random { .. } => of!(random::Random),
            Op::Reshape => of!(movement::Reshape),
            Op::Transpose(permutation) => of!(movement::Transpose(permutation)),
            Op::Broadcast => of!(movement::Broadcast),
            Op::Slice { start, step } => of!(movement::Slice { start, step }),
            Op::Pad { low, .. } => of!(joining::Pad { low }),
            Op::Concat(axis) => of!(joining::Concat(*axis)),
            Op::Pack(_, states) => of!(joining::Pack(states)),
            Op::Reduce(kind, _) => of!(reduce::Reduce(*kind)),
            Op::ArgReduce(kind, axis) => of!(reduce::ArgReduce(*kind, *axis)),
            Op::Moments(axis) => of!(norm::Moments(*axis)),
            Op::MatMul { ta, tb } => of!(matmul::MatMul { ta: *ta, tb: *tb }),
            Op::Conv2d(spec) => of!(conv::Forward(spec)),
            Op::Conv2dInputGrad(spec) => of!(conv::InputGrad(spec)),
            Op::Conv2dWeightGrad(spec) => of!(conv::WeightGrad(spec)),
            Op::MaxPool2d(spec) => of!(pool::Max(spec)),
            Op::MaxPool2dIndex(spec) => of!(pool::MaxIndex(spec)),
            Op::MaxPool2dGrad(spec) => of!(pool::MaxGrad(spec)),
            Op::AvgPool2d(spec, by) => of!(pool::Average(spec, *by)),
            Op::AvgPool2dGrad(spec, by) => of!(pool::AverageGrad(spec, *by)),
            Op::Softmax { log } => of!(softmax::Softmax { log: *log }),
            Op::CrossEntropy(spec) => of!(loss::CrossEntropy(*spec)),
            Op::CrossEntropyGrad(spec) => of!(loss::CrossEntropyGrad(*spec)),
            Op::Gather(axis) => of!(index::Gather(*axis)),
            Op::ScatterAdd(axis) => of!(index::ScatterAdd(*axis)),
            Op::IndexSelect(axis) => of!(index::IndexSelect(*axis)),
            Op::IndexAdd(axis) => of!(index::IndexAdd(*axis)),
            Op::Custom(op) => of!(op),
            Op::WithGradient(GradientRule::BatchNorm { eps_bits }) => of!(norm::BatchNorm { eps_bits: *eps_bits }),
            Op::WithGradient(GradientRule::Standardize { axes, eps_bits }) => {
                of!(norm::Standardize { axes: *axes, eps_bits: *eps_bits })
            }
        }
    }};
}

/// How an op takes part in a plan.
pub(crate) fn role(op: &Op) -> Role {
    with_rules!(op, rules => rules.role())
}

/// The kernel of a structural op that has one; the others are traced into programs.
pub(crate) fn kernel(graph: &Graph, node: Var) -> Option<Kernel> {
    let place = NodeShapes { graph, node };
    with_rules!(&graph.node(node).op, rules => rules.kernel(&place))
}

/// Cotangents of the operands of `node`, given its own. `needed` tells which operands are worth the work.
pub(crate) fn cotangents(graph: &mut Graph, node: Var, d: Var, needed: &dyn Fn(Var) -> bool) -> Cotangents {
    let (op, inputs) = (graph.node(node).op.clone(), graph.node(node).inputs.clone());
    let at = Backward { graph, node, d, inputs, needed };
    with_rules!(&op, rules => rules.gradient(at))
}
