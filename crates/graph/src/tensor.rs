//! Host tensors: plain values that go to a device and come back.

use crate::dtype::DType;
use crate::shape::{Shape, count};
use half::f16;

/// The elements of a host tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// 32-bit floats.
    F32(Vec<f32>),
    /// 16-bit floats.
    F16(Vec<f16>),
    /// 32-bit signed integers.
    I32(Vec<i32>),
    /// 32-bit unsigned integers.
    U32(Vec<u32>),
    /// Truth values, 0 or 1 each.
    Bool(Vec<u32>),
}

/// A tensor in host memory, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    shape: Shape,
    data: Data,
}

impl Tensor {
    /// A tensor of this shape, or `None` if the number of elements differs from the shape's.
    pub fn new(shape: impl Into<Shape>, data: Data) -> Option<Tensor> {
        let shape = shape.into();
        (data.len() == count(&shape)).then_some(Tensor { shape, data })
    }

    /// An f32 tensor; `None` if the number of elements differs from the shape's.
    pub fn f32(shape: impl Into<Shape>, data: Vec<f32>) -> Option<Tensor> {
        Tensor::new(shape, Data::F32(data))
    }

    /// An i32 tensor; `None` if the number of elements differs from the shape's.
    pub fn i32(shape: impl Into<Shape>, data: Vec<i32>) -> Option<Tensor> {
        Tensor::new(shape, Data::I32(data))
    }

    /// A tensor of `dtype` from 64-bit values, each rounded to that type.
    pub fn from_f64(shape: impl Into<Shape>, dtype: DType, values: &[f64]) -> Option<Tensor> {
        let data = match dtype {
            DType::F32 => Data::F32(values.iter().map(|&v| v as f32).collect()),
            DType::F16 => Data::F16(values.iter().map(|&v| f16::from_f64(v)).collect()),
            DType::I32 => Data::I32(values.iter().map(|&v| v as i32).collect()),
            DType::U32 => Data::U32(values.iter().map(|&v| v as u32).collect()),
            DType::Bool => Data::Bool(values.iter().map(|&v| u32::from(v != 0.0)).collect()),
        };
        Tensor::new(shape, data)
    }

    /// All elements zero.
    ///
    /// # Panics
    /// If the system cannot give that much memory.
    pub fn zeros(shape: impl Into<Shape>, dtype: DType) -> Tensor {
        let shape = shape.into();
        let n = count(&shape);
        let data = match dtype {
            DType::F32 => Data::F32(vec![0.0; n]),
            DType::F16 => Data::F16(vec![f16::ZERO; n]),
            DType::I32 => Data::I32(vec![0; n]),
            DType::U32 => Data::U32(vec![0; n]),
            DType::Bool => Data::Bool(vec![0; n]),
        };
        Tensor { shape, data }
    }

    /// A single f32.
    pub fn scalar(value: f32) -> Tensor {
        Tensor { shape: vec![], data: Data::F32(vec![value]) }
    }

    /// Extents, outermost first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Element type.
    pub fn dtype(&self) -> DType {
        match self.data {
            Data::F32(_) => DType::F32,
            Data::F16(_) => DType::F16,
            Data::I32(_) => DType::I32,
            Data::U32(_) => DType::U32,
            Data::Bool(_) => DType::Bool,
        }
    }

    /// Bytes of all elements.
    pub fn bytes(&self) -> usize {
        self.data.len() * self.dtype().size()
    }

    /// The elements.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// The elements as f32, or `None` for another type.
    pub fn as_f32(&self) -> Option<&[f32]> {
        if let Data::F32(v) = &self.data { Some(v) } else { None }
    }

    /// The elements as i32, or `None` for another type.
    pub fn as_i32(&self) -> Option<&[i32]> {
        if let Data::I32(v) = &self.data { Some(v) } else { None }
    }

    /// Every element as a 64-bit float (exact for all element types).
    pub fn to_f64(&self) -> Vec<f64> {
        match &self.data {
            Data::F32(v) => v.iter().map(|&x| f64::from(x)).collect(),
            Data::F16(v) => v.iter().map(|&x| x.to_f64()).collect(),
            Data::I32(v) => v.iter().map(|&x| f64::from(x)).collect(),
            Data::U32(v) | Data::Bool(v) => v.iter().map(|&x| f64::from(x)).collect(),
        }
    }

    /// Equal in shape, type and every bit: unlike by `==`, NaN is itself and 0 is not -0.
    pub(crate) fn same_bits(&self, other: &Tensor) -> bool {
        self.shape == other.shape
            && match (&self.data, &other.data) {
                (Data::F32(a), Data::F32(b)) => a.iter().map(|x| x.to_bits()).eq(b.iter().map(|x| x.to_bits())),
                (Data::F16(a), Data::F16(b)) => a.iter().map(|x| x.to_bits()).eq(b.iter().map(|x| x.to_bits())),
                (a, b) => a == b,
            }
    }

    /// The same elements under another shape; `None` if the counts differ.
    pub fn reshape(self, shape: impl Into<Shape>) -> Option<Tensor> {
        Tensor::new(shape, self.data)
    }
}

impl Data {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Data::F32(v) => v.len(),
            Data::F16(v) => v.len(),
            Data::I32(v) => v.len(),
            Data::U32(v) | Data::Bool(v) => v.len(),
        }
    }

    /// True when there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
