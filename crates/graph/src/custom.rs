//! Ops from outside of this crate: an op of one's own brings its shape rule, its gradient and its code for each backend, and is
//! planned, run, verified and profiled like the others.

use crate::dtype::DType;
use crate::error::{GraphError, Result};
use crate::graph::{Graph, Var};
use crate::op::Op;
use crate::ops::{Backward, Cotangents, NodeShapes, Role, Rules};
use crate::plan::{CustomCall, Kernel};
use std::any::Any;
use std::fmt::{self, Debug};
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// The most operands of a custom op: with its result they are the bindings that every GPU has.
pub const CUSTOM_OPERANDS: usize = 7;

/// Shape and element type of a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TensorType {
    /// Extents, the outermost axis first.
    pub shape: Vec<usize>,
    /// Element type.
    pub dtype: DType,
}

impl TensorType {
    /// Number of elements.
    pub fn len(&self) -> usize {
        crate::shape::count(&self.shape)
    }

    /// False: no tensor of a graph is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An operand of [`CustomOp::compute`]; 16-bit floats are given as 32-bit ones, truth values as 0 and 1.
#[derive(Clone, Copy, Debug)]
pub enum Elements<'a> {
    /// Floats.
    F32(&'a [f32]),
    /// Integers.
    I32(&'a [i32]),
    /// Unsigned integers, and truth values.
    U32(&'a [u32]),
}

/// A piece of the result of [`CustomOp::compute`].
#[derive(Debug)]
pub enum ElementsMut<'a> {
    /// Floats, of 16 bits too.
    F32(&'a mut [f32]),
    /// Integers.
    I32(&'a mut [i32]),
    /// Unsigned integers, and truth values.
    U32(&'a mut [u32]),
}

/// An op of one's own, one result from up to [`CUSTOM_OPERANDS`] operands; [`Graph::custom`] records it. All its options are
/// fields that its `Debug` text shows: two ops of one type with one text are one op.
pub trait CustomOp: Any + Debug + Send + Sync {
    /// The op's name, for messages and reports.
    fn name(&self) -> &'static str;

    /// Names of the operands, in order: those of the arrays in the WGSL.
    fn operands(&self) -> Vec<&'static str>;

    /// Shape and element type of the result.
    ///
    /// # Errors
    /// What the operands must be, if they do not fit.
    fn infer(&self, operands: &[TensorType]) -> std::result::Result<TensorType, String>;

    /// Operands that select by index, and below what their elements must stay. Inputs of a step are held to it; what the device
    /// computes, the code below must bound itself.
    fn indices(&self, _operands: &[TensorType]) -> Vec<(usize, usize)> {
        vec![]
    }

    /// Elements of each operand that a call reads; all, unless said otherwise. Reports count bytes by it.
    fn reads(&self, operands: &[TensorType], _result: &TensorType) -> Vec<usize> {
        operands.iter().map(TensorType::len).collect()
    }

    /// The gradient of each operand, recorded in the graph, from that of the result; `needed` tells which are asked for.
    ///
    /// # Errors
    /// Those of the builder; [`GraphError::NotDifferentiable`] unless it is implemented.
    fn gradient(
        &self,
        graph: &mut Graph,
        _operands: &[Var],
        result: Var,
        _cotangent: Var,
        _needed: &dyn Fn(Var) -> bool,
    ) -> Result<Vec<Option<Var>>> {
        Err(GraphError::NotDifferentiable(format!("{} in {:?}", self.name(), graph.path(result))))
    }

    /// The result in 64 bits, as plainly as it can be written: what the backends are compared with.
    fn reference(&self, operands: &[(&TensorType, &[f64])], result: &TensorType) -> Vec<f64>;

    /// Equal pieces of the result that can be computed one beside the other.
    fn pieces(&self, _result: &TensorType) -> usize {
        1
    }

    /// Computes a piece of the result on the CPU.
    fn compute(&self, operands: &[(&TensorType, Elements<'_>)], piece: usize, result: ElementsMut<'_>);

    /// WGSL with a function `fn element(index: u32) -> T` that gives one element of the result in row-major order: `T` is f32
    /// for floats, and u32 for truth values. The operands are storage arrays with their names, of f32, f16, i32 or u32. The names
    /// `index`, `result`, `main` and `put` are taken, and so is what begins with `chiaro_`.
    fn wgsl(&self, operands: &[TensorType], result: &TensorType) -> String;
}

/// Names that the code around an op's own has.
const TAKEN: [&str; 5] = ["index", "result", "main", "put", "element"];

/// Whether an operand can have this name.
fn is_free(name: &str) -> bool {
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic());
    begins && name.chars().all(letters) && !TAKEN.contains(&name)
}

/// A shared custom op, compared by type and text.
#[derive(Clone)]
pub struct Custom(Arc<dyn CustomOp>);

impl Custom {
    /// The op's gradient, which must have a value of its operand's shape and type for every operand.
    pub(crate) fn checked_gradient(
        &self,
        graph: &mut Graph,
        operands: &[Var],
        result: Var,
        cotangent: Var,
        needed: &dyn Fn(Var) -> bool,
    ) -> Result<Vec<Option<Var>>> {
        let parts = self.0.gradient(graph, operands, result, cotangent, needed)?;
        let name = format!("the gradient of {}", self.0.name());
        if parts.len() != operands.len() {
            let shapes: Vec<&[usize]> = operands.iter().map(|&v| graph.shape(v)).collect();
            let detail = format!("{} parts for {} operands", parts.len(), operands.len());
            return Err(graph.shape_error(&name, &shapes, detail));
        }
        for (&operand, part) in operands.iter().zip(&parts) {
            let Some(part) = *part else { continue };
            graph.check_own(&name, &[part])?;
            let (wanted, found) = (graph.tensor_type(operand), graph.tensor_type(part));
            if wanted != found {
                let shapes = [&wanted.shape[..], &found.shape[..]];
                let detail = format!("must be {} as its operand, not {}", wanted.dtype, found.dtype);
                return Err(graph.shape_error(&name, &shapes, detail));
            }
        }
        Ok(parts)
    }

    fn key(&self) -> (std::any::TypeId, String) {
        ((*self.0).type_id(), format!("{:?}", self.0))
    }
}

impl Deref for Custom {
    type Target = dyn CustomOp;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PartialEq for Custom {
    fn eq(&self, other: &Custom) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Custom {}

impl Hash for Custom {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl Graph {
    /// Adds an op of one's own.
    ///
    /// # Errors
    /// If the op refuses the operands, there are other than it names or too many, or fixed indices are outside.
    pub fn custom(&mut self, op: impl CustomOp, operands: &[Var]) -> Result<Var> {
        let name = op.name();
        self.check_own(name, operands)?;
        let types: Vec<TensorType> = operands.iter().map(|&v| self.tensor_type(v)).collect();
        let shapes: Vec<&[usize]> = types.iter().map(|t| &t.shape[..]).collect();
        let named = op.operands();
        if named.len() != operands.len() || named.is_empty() || named.len() > CUSTOM_OPERANDS {
            let detail = format!("takes {named:?}, at most {CUSTOM_OPERANDS} and at least one");
            return Err(self.shape_error(name, &shapes, detail));
        }
        if let Some(wrong) = named.iter().enumerate().find(|(i, n)| !is_free(n) || named[..*i].contains(n)) {
            let detail = format!(
                "{:?} cannot be the name of an operand: names are distinct words of WGSL, and {TAKEN:?} are taken",
                wrong.1
            );
            return Err(self.shape_error(name, &shapes, detail));
        }
        let result = op.infer(&types).map_err(|detail| {
            let dtypes: Vec<DType> = types.iter().map(|t| t.dtype).collect();
            self.shape_error(name, &shapes, format!("{detail}; given {dtypes:?}"))
        })?;
        let (len, pieces) = (result.len(), op.pieces(&result));
        if pieces == 0 || !len.is_multiple_of(pieces) {
            let detail = format!("{pieces} pieces of a result of {:?} are not equal", result.shape);
            return Err(self.shape_error(name, &shapes, detail));
        }
        for (operand, extent) in op.indices(&types) {
            let Some(&index) = operands.get(operand) else {
                return Err(self.shape_error(name, &shapes, format!("selects by operand {operand}, which it has not")));
            };
            self.bound_index(&format!("{name} of {extent}"), index, extent, None)?;
        }
        self.record(name, Op::Custom(Custom(Arc::new(op))), operands.to_vec(), result.shape, result.dtype)
    }

    /// Shape and element type of a value.
    pub(crate) fn tensor_type(&self, v: Var) -> TensorType {
        TensorType { shape: self.shape(v).to_vec(), dtype: self.dtype(v) }
    }
}

impl Rules for Custom {
    fn role(&self) -> Role {
        Role::Structural
    }

    fn kernel(&self, place: &NodeShapes) -> Option<Kernel> {
        let NodeShapes { graph, node } = *place;
        let operands = graph.node(node).inputs.iter().map(|&x| graph.tensor_type(x)).collect();
        Some(Kernel::Custom(CustomCall { op: self.clone(), operands, result: graph.tensor_type(node) }))
    }

    fn gradient(&self, at: Backward) -> Cotangents {
        self.checked_gradient(at.graph, &at.inputs, at.node, at.d, at.needed)
    }
}
