//! Arithmetic on graph values for gradient rules, so that a rule reads like its formula.

use crate::dtype::DType;
use crate::elementwise::Elementwise;
use crate::error::{GraphError, Result};
use crate::graph::{Graph, Var};
use std::cell::RefCell;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// The graph under differentiation, and the first error that a rule met.
pub(crate) struct Tape {
    graph: RefCell<Graph>,
    error: RefCell<Option<GraphError>>,
}

impl Tape {
    pub(crate) fn new(graph: Graph) -> Tape {
        Tape { graph: RefCell::new(graph), error: RefCell::new(None) }
    }

    /// Runs a builder call; after an error gives `fallback`, and the error is kept for [`Tape::finish`].
    pub(crate) fn run(&self, fallback: Var, f: impl FnOnce(&mut Graph) -> Result<Var>) -> Var {
        match f(&mut self.graph.borrow_mut()) {
            Ok(v) => v,
            Err(e) => {
                self.error.borrow_mut().get_or_insert(e);
                fallback
            }
        }
    }

    /// The graph, and the first error.
    pub(crate) fn finish(self) -> (Graph, Result<()>) {
        (self.graph.into_inner(), self.error.into_inner().map_or(Ok(()), Err))
    }
}

/// A value on a tape.
#[derive(Clone, Copy)]
pub(crate) struct E<'g> {
    tape: &'g Tape,
    pub(crate) var: Var,
}

impl<'g> E<'g> {
    pub(crate) fn new(tape: &'g Tape, var: Var) -> E<'g> {
        E { tape, var }
    }

    /// The result of a builder call on this value.
    pub(crate) fn with(self, f: impl FnOnce(&mut Graph, Var) -> Result<Var>) -> E<'g> {
        E { var: self.tape.run(self.var, |g| f(g, self.var)), ..self }
    }

    pub(crate) fn map(self, op: Elementwise) -> E<'g> {
        self.with(|g, x| g.unary(op, x))
    }

    fn map2(self, op: Elementwise, other: impl RightHand<'g>) -> E<'g> {
        let other = other.on(self);
        self.with(|g, x| g.map(op, &[x, other.var]))
    }

    fn dtype(self) -> DType {
        self.tape.graph.borrow().dtype(self.var)
    }

    /// A number of this value's type.
    pub(crate) fn number(self, value: f64) -> E<'g> {
        self.with(|g, x| g.scalar(value, g.dtype(x)))
    }

    /// A truth value as 0 or 1.
    pub(crate) fn float(self) -> E<'g> {
        self.with(|g, x| g.cast(x, DType::F32))
    }

    /// This value where the condition holds, else 0.
    pub(crate) fn keep(self, condition: E<'g>) -> E<'g> {
        condition.choose(self, self.number(0.0))
    }

    /// x where this condition holds, else y.
    pub(crate) fn choose(self, x: E<'g>, y: E<'g>) -> E<'g> {
        self.with(|g, c| g.where_(c, x.var, y.var))
    }

    pub(crate) fn gt(self, other: impl RightHand<'g>) -> E<'g> {
        self.map2(Elementwise::Greater, other)
    }

    pub(crate) fn ge(self, other: impl RightHand<'g>) -> E<'g> {
        self.map2(Elementwise::GreaterEqual, other)
    }

    pub(crate) fn lt(self, other: impl RightHand<'g>) -> E<'g> {
        self.map2(Elementwise::Less, other)
    }

    pub(crate) fn le(self, other: impl RightHand<'g>) -> E<'g> {
        self.map2(Elementwise::LessEqual, other)
    }

    pub(crate) fn equal(self, other: impl RightHand<'g>) -> E<'g> {
        self.map2(Elementwise::Equal, other)
    }

    pub(crate) fn and(self, other: E<'g>) -> E<'g> {
        self.map2(Elementwise::And, other)
    }

    pub(crate) fn or(self, other: E<'g>) -> E<'g> {
        self.map2(Elementwise::Or, other)
    }

    pub(crate) fn not(self) -> E<'g> {
        self.map(Elementwise::Not)
    }

    pub(crate) fn pow(self, other: E<'g>) -> E<'g> {
        self.map2(Elementwise::Pow, other)
    }

    pub(crate) fn minimum(self, other: impl RightHand<'g>) -> E<'g> {
        self.map2(Elementwise::Minimum, other)
    }

    pub(crate) fn sum(self, axes: &[usize]) -> E<'g> {
        self.with(|g, x| g.sum(x, axes, true))
    }

    pub(crate) fn view(self, shape: &[usize]) -> E<'g> {
        self.with(|g, x| g.reshape(x, shape))
    }

    /// Rows `start..end` of the first axis.
    pub(crate) fn rows(self, start: usize, end: usize) -> E<'g> {
        self.with(|g, x| g.narrow(x, 0, start, end))
    }

    /// Converted to the type of another value.
    pub(crate) fn like(self, other: E<'g>) -> E<'g> {
        self.with(|g, x| g.cast(x, other.dtype_in(g)))
    }

    fn dtype_in(self, g: &Graph) -> DType {
        g.dtype(self.var)
    }
}

/// What may stand on the right of an operator: a value or a number.
pub(crate) trait RightHand<'g> {
    fn on(self, left: E<'g>) -> E<'g>;
}

impl<'g> RightHand<'g> for E<'g> {
    fn on(self, left: E<'g>) -> E<'g> {
        // Truth values turned to floats meet 16-bit cotangents.
        if self.dtype() != left.dtype() && self.dtype().is_float() && left.dtype().is_float() {
            self.like(left)
        } else {
            self
        }
    }
}

impl<'g> RightHand<'g> for f64 {
    fn on(self, left: E<'g>) -> E<'g> {
        left.number(self)
    }
}

macro_rules! operator {
    ($($Trait:ident $method:ident $Op:ident),+) => {$(
        impl<'g, T: RightHand<'g>> $Trait<T> for E<'g> {
            type Output = E<'g>;
            fn $method(self, other: T) -> E<'g> {
                self.map2(Elementwise::$Op, other)
            }
        }
    )+};
}

operator!(Add add Add, Sub sub Sub, Mul mul Mul, Div div Div);

impl<'g> Sub<E<'g>> for f64 {
    type Output = E<'g>;
    fn sub(self, other: E<'g>) -> E<'g> {
        other.number(self) - other
    }
}

impl<'g> Neg for E<'g> {
    type Output = E<'g>;
    fn neg(self) -> E<'g> {
        self.map(Elementwise::Neg)
    }
}
