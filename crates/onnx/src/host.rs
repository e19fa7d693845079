//! Tensors whose values are known before a model runs.

use std::sync::Arc;

use chiaro_graph::{DType, Data, Tensor};
use half::f16;

use crate::error::{OnnxError, Result};
use crate::proto::tensor_proto::DataType;

/// Element types of ONNX that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Elem {
    F32,
    F16,
    F64,
    Bool,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
}

impl Elem {
    /// The type with ONNX' number.
    ///
    /// # Errors
    /// If it is one that is not read here.
    pub fn from_onnx(number: i32) -> Result<Elem> {
        Ok(match DataType::try_from(number) {
            Ok(DataType::Float) => Elem::F32,
            Ok(DataType::Float16) => Elem::F16,
            Ok(DataType::Double) => Elem::F64,
            Ok(DataType::Bool) => Elem::Bool,
            Ok(DataType::Int8) => Elem::I8,
            Ok(DataType::Int16) => Elem::I16,
            Ok(DataType::Int32) => Elem::I32,
            Ok(DataType::Int64) => Elem::I64,
            Ok(DataType::Uint8) => Elem::U8,
            Ok(DataType::Uint16) => Elem::U16,
            Ok(DataType::Uint32) => Elem::U32,
            Ok(DataType::Uint64) => Elem::U64,
            Ok(other) => {
                return Err(OnnxError::Format(format!("elements of type {} are not supported", other.as_str_name())));
            }
            Err(_) => return Err(OnnxError::Format(format!("there is no element type {number}"))),
        })
    }

    /// Whether it is a float.
    pub fn is_float(self) -> bool {
        matches!(self, Elem::F32 | Elem::F16 | Elem::F64)
    }

    /// The type that such values have in a graph.
    pub fn graph_type(self) -> DType {
        match self {
            Elem::F32 | Elem::F64 => DType::F32,
            Elem::F16 => DType::F16,
            Elem::Bool => DType::Bool,
            Elem::U32 => DType::U32,
            Elem::I8 | Elem::I16 | Elem::I32 | Elem::I64 | Elem::U8 | Elem::U16 | Elem::U64 => DType::I32,
        }
    }

    /// The type that values of a graph have here.
    pub fn of_graph(dtype: DType) -> Elem {
        match dtype {
            DType::F32 => Elem::F32,
            DType::F16 => Elem::F16,
            DType::I32 => Elem::I64,
            DType::U32 => Elem::U32,
            DType::Bool => Elem::Bool,
        }
    }
}

/// The elements.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Floats of any width.
    Floats(Arc<Vec<f32>>),
    /// Integers and truth values.
    Ints(Arc<Vec<i64>>),
    /// Those of 8 bits as a file has them, whose weights may be millions.
    Small(Arc<Vec<i16>>),
    /// Taken out of a model's structure: they lie with its weights.
    Hollow,
}

impl Values {
    /// Number of elements; `None` where they were taken out.
    pub(crate) fn len(&self) -> Option<usize> {
        match self {
            Values::Floats(v) => Some(v.len()),
            Values::Ints(v) => Some(v.len()),
            Values::Small(v) => Some(v.len()),
            Values::Hollow => None,
        }
    }
}

/// A tensor on the host, row-major in ONNX' order of axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Host {
    /// Extents; may be 0.
    pub shape: Vec<usize>,
    /// Element type.
    pub elem: Elem,
    /// Elements.
    pub values: Values,
}

/// Number of elements.
pub(crate) fn count(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// Bytes of an element on the host, at most.
const ELEMENT: usize = 8;

/// Refuses extents of something that is made larger than it was, where it does not fit into this many bytes.
pub(crate) fn check_made(shape: &[usize], of: usize, room: usize) -> Result<()> {
    let n = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    if n.is_some_and(|n| n <= (room / ELEMENT).max(of)) {
        return Ok(());
    }
    let detail = format!(
        "makes {shape:?} elements of {of} before the model runs; a file of this size may have {room} bytes more"
    );
    Err(OnnxError::node(detail))
}

/// Distance between neighbours along each axis.
pub(crate) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

impl Host {
    /// Floats.
    pub fn floats(shape: &[usize], values: Vec<f32>) -> Host {
        assert_eq!(count(shape), values.len(), "as many elements as the extents say");
        Host { shape: shape.to_vec(), elem: Elem::F32, values: Values::Floats(Arc::new(values)) }
    }

    /// 64-bit integers.
    pub fn ints(shape: &[usize], values: Vec<i64>) -> Host {
        assert_eq!(count(shape), values.len(), "as many elements as the extents say");
        Host { shape: shape.to_vec(), elem: Elem::I64, values: Values::Ints(Arc::new(values)) }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        count(&self.shape)
    }

    /// Whether it has no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of its elements, which other tensors may share.
    pub(crate) fn bytes(&self) -> usize {
        match &self.values {
            Values::Floats(v) => size_of_val(v.as_slice()),
            Values::Ints(v) => size_of_val(v.as_slice()),
            Values::Small(v) => size_of_val(v.as_slice()),
            Values::Hollow => 0,
        }
    }

    /// Whether both have the same elements in the same memory.
    pub(crate) fn shares(&self, other: &Host) -> bool {
        match (&self.values, &other.values) {
            (Values::Floats(a), Values::Floats(b)) => Arc::ptr_eq(a, b),
            (Values::Ints(a), Values::Ints(b)) => Arc::ptr_eq(a, b),
            (Values::Small(a), Values::Small(b)) => Arc::ptr_eq(a, b),
            (Values::Floats(_) | Values::Ints(_) | Values::Small(_) | Values::Hollow, _) => false,
        }
    }

    /// The elements as integers; floats are truncated.
    ///
    /// # Errors
    /// If they were taken out.
    pub fn to_ints(&self) -> Result<Vec<i64>> {
        match &self.values {
            Values::Ints(v) => Ok(v.to_vec()),
            Values::Small(v) => Ok(v.iter().map(|&x| i64::from(x)).collect()),
            Values::Floats(v) => Ok(v.iter().map(|&x| x as i64).collect()),
            Values::Hollow => Err(hollow()),
        }
    }

    /// The elements as floats.
    ///
    /// # Errors
    /// If they were taken out.
    pub fn to_floats(&self) -> Result<Vec<f32>> {
        match &self.values {
            Values::Ints(v) => Ok(v.iter().map(|&x| x as f32).collect()),
            Values::Small(v) => Ok(v.iter().map(|&x| f32::from(x)).collect()),
            Values::Floats(v) => Ok(v.to_vec()),
            Values::Hollow => Err(hollow()),
        }
    }

    /// The single element.
    ///
    /// # Errors
    /// If there are more, or none.
    pub fn scalar(&self) -> Result<f64> {
        match (&self.values, self.len()) {
            (Values::Ints(v), 1) => Ok(v[0] as f64),
            (Values::Small(v), 1) => Ok(f64::from(v[0])),
            (Values::Floats(v), 1) => Ok(f64::from(v[0])),
            (Values::Hollow, _) => Err(hollow()),
            _ => Err(OnnxError::node(format!("one number is wanted, not {:?}", self.shape))),
        }
    }

    /// The same elements under other extents, whose count is the same.
    ///
    /// # Errors
    /// If the counts differ.
    pub fn reshaped(&self, shape: &[usize]) -> Result<Host> {
        if count(shape) != self.len() {
            return Err(OnnxError::node(format!("{:?} cannot become {shape:?}", self.shape)));
        }
        Ok(Host { shape: shape.to_vec(), ..self.clone() })
    }

    /// Axis i of the result is axis `perm[i]` of this.
    ///
    /// # Errors
    /// If it is no permutation of the axes.
    pub fn permuted(&self, perm: &[usize]) -> Result<Host> {
        let mut sorted = perm.to_vec();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..self.shape.len()) {
            return Err(OnnxError::node(format!("{perm:?} is no permutation of {} axes", self.shape.len())));
        }
        let shape: Vec<usize> = perm.iter().map(|&p| self.shape[p]).collect();
        let own = strides(&self.shape);
        let steps: Vec<usize> = perm.iter().map(|&p| own[p]).collect();
        let values = match &self.values {
            Values::Floats(v) => Values::Floats(Arc::new(moved(v, &shape, &steps))),
            Values::Ints(v) => Values::Ints(Arc::new(moved(v, &shape, &steps))),
            Values::Small(v) => Values::Small(Arc::new(moved(v, &shape, &steps))),
            Values::Hollow => Values::Hollow,
        };
        Ok(Host { shape, elem: self.elem, values })
    }

    /// A tensor of other extents, each element taken from the flat position that `source` gives for its place.
    pub fn picked(&self, shape: &[usize], source: impl Fn(&[usize]) -> usize) -> Host {
        let n = count(shape);
        let mut places = Vec::with_capacity(n);
        if self.values != Values::Hollow {
            let mut place = vec![0; shape.len()];
            for _ in 0..n {
                places.push(source(&place));
                for axis in (0..shape.len()).rev() {
                    place[axis] += 1;
                    if place[axis] < shape[axis] {
                        break;
                    }
                    place[axis] = 0;
                }
            }
        }
        let values = match &self.values {
            Values::Floats(v) => Values::Floats(Arc::new(places.iter().map(|&i| v[i]).collect())),
            Values::Ints(v) => Values::Ints(Arc::new(places.iter().map(|&i| v[i]).collect())),
            Values::Small(v) => Values::Small(Arc::new(places.iter().map(|&i| v[i]).collect())),
            Values::Hollow => Values::Hollow,
        };
        Host { shape: shape.to_vec(), elem: self.elem, values }
    }

    /// The tensor as a graph takes it.
    ///
    /// # Errors
    /// If an integer does not fit 32 bits, or the elements were taken out.
    pub fn to_tensor(&self) -> Result<Tensor> {
        let data = match (&self.values, self.elem.graph_type()) {
            (Values::Floats(v), DType::F16) => Data::F16(v.iter().map(|&x| f16::from_f32(x)).collect()),
            (Values::Floats(v), _) => Data::F32(v.to_vec()),
            (Values::Ints(v), DType::Bool) => Data::Bool(v.iter().map(|&x| u32::from(x != 0)).collect()),
            (Values::Ints(v), DType::U32) => Data::U32(v.iter().map(|&x| x as u32).collect()),
            (Values::Ints(v), _) => Data::I32(v.iter().map(|&x| fitting(x)).collect::<Result<_>>()?),
            (Values::Small(v), DType::Bool) => Data::Bool(v.iter().map(|&x| u32::from(x != 0)).collect()),
            (Values::Small(v), _) => Data::I32(v.iter().map(|&x| i32::from(x)).collect()),
            (Values::Hollow, _) => return Err(hollow()),
        };
        Tensor::new(self.shape.clone(), data).ok_or_else(|| OnnxError::Format("elements and extents differ".into()))
    }
}

/// Elements in the order of these extents, neighbours along each axis so far apart in `values`.
fn moved<T: Copy>(values: &[T], shape: &[usize], steps: &[usize]) -> Vec<T> {
    let (Some((&run, outer)), Some(&step)) = (shape.split_last(), steps.last()) else { return values.to_vec() };
    let mut all = Vec::with_capacity(values.len());
    if values.is_empty() {
        return all;
    }
    let (mut place, mut start) = (vec![0; outer.len()], 0);
    for _ in 0..count(outer) {
        all.extend(values[start..].iter().step_by(step).take(run));
        for axis in (0..outer.len()).rev() {
            (place[axis], start) = (place[axis] + 1, start + steps[axis]);
            if place[axis] < outer[axis] {
                break;
            }
            start -= place[axis] * steps[axis];
            place[axis] = 0;
        }
    }
    all
}

/// A 64-bit integer in 32 bits. The ends of the range stand for "as far as there is".
fn fitting(x: i64) -> Result<i32> {
    match x {
        i64::MAX => Ok(i32::MAX),
        i64::MIN => Ok(i32::MIN),
        x => i32::try_from(x).map_err(|_| OnnxError::node(format!("{x} does not fit 32 bits"))),
    }
}

fn hollow() -> OnnxError {
    OnnxError::node("these values lie with the weights, and are not known here")
}
