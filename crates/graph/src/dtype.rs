//! Element types and scalar values.

use half::f16;

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DType {
    /// 32-bit float, the default of everything that is differentiated.
    F32,
    /// 16-bit float: a storage type; arithmetic on it is done in 32 bits.
    F16,
    /// 32-bit signed integer: labels and indices.
    I32,
    /// 32-bit unsigned integer: random keys and positions.
    U32,
    /// Truth value, stored as a 32-bit 0 or 1 on every backend (WGSL has no storable bool).
    Bool,
}

impl DType {
    /// Bytes of one stored element.
    pub fn size(self) -> usize {
        match self {
            DType::F16 => 2,
            DType::F32 | DType::I32 | DType::U32 | DType::Bool => 4,
        }
    }

    /// True for the two floating-point types, which alone carry gradients.
    pub fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::F16)
    }

    /// The type in which kernels compute with stored values of this type.
    pub fn compute(self) -> DType {
        match self {
            DType::F32 | DType::F16 => DType::F32,
            DType::I32 => DType::I32,
            DType::U32 => DType::U32,
            DType::Bool => DType::Bool,
        }
    }
}

impl std::fmt::Display for DType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            DType::F32 => "f32",
            DType::F16 => "f16",
            DType::I32 => "i32",
            DType::U32 => "u32",
            DType::Bool => "bool",
        })
    }
}

/// A single number with its type. Equality and hashing are by bits, so that NaN equals itself.
#[derive(Clone, Copy, Debug)]
pub struct Scalar {
    /// The value; every 32-bit integer and float is exact in 64 bits.
    pub value: f64,
    /// The element type it stands for.
    pub dtype: DType,
}

impl Scalar {
    /// A number of this type. What a float type cannot hold becomes infinite; `None` if an integer or a truth value cannot be it.
    pub fn new(value: f64, dtype: DType) -> Option<Scalar> {
        let whole = |low: f64, high: f64| (value.fract() == 0.0 && (low..=high).contains(&value)).then_some(value);
        let value = match dtype {
            DType::F32 if (value as f32).is_infinite() => f64::from(value as f32),
            DType::F16 if f16::from_f64(value).is_infinite() => f16::from_f64(value).to_f64(),
            DType::F32 | DType::F16 => value,
            DType::I32 => whole(f64::from(i32::MIN), f64::from(i32::MAX))?,
            DType::U32 => whole(0.0, f64::from(u32::MAX))?,
            DType::Bool => whole(0.0, 1.0)?,
        };
        Some(Scalar { value, dtype })
    }

    /// The 32-bit pattern that a compute register of this type holds.
    pub fn lane(self) -> u32 {
        match self.dtype {
            DType::F32 => (self.value as f32).to_bits(),
            DType::F16 => f16::from_f64(self.value).to_f32().to_bits(),
            DType::I32 => self.value as i32 as u32,
            DType::U32 => self.value as u32,
            DType::Bool => u32::from(self.value != 0.0),
        }
    }
}

impl PartialEq for Scalar {
    fn eq(&self, other: &Self) -> bool {
        self.dtype == other.dtype && self.value.to_bits() == other.value.to_bits()
    }
}

impl Eq for Scalar {}

impl std::hash::Hash for Scalar {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.dtype, self.value.to_bits()).hash(state);
    }
}
