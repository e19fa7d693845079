//! How the closures of the table read and write 32-bit lanes and 64-bit reference values.

/// A value held in a 32-bit lane of a compute register.
pub trait Lane: Copy {
    /// Reads a lane's bits.
    fn from_lane(bits: u32) -> Self;
    /// The lane's bits.
    fn to_lane(self) -> u32;
}

impl Lane for f32 {
    #[inline(always)]
    fn from_lane(bits: u32) -> f32 {
        f32::from_bits(bits)
    }
    #[inline(always)]
    fn to_lane(self) -> u32 {
        self.to_bits()
    }
}

impl Lane for i32 {
    #[inline(always)]
    fn from_lane(bits: u32) -> i32 {
        bits as i32
    }
    #[inline(always)]
    fn to_lane(self) -> u32 {
        self as u32
    }
}

impl Lane for u32 {
    #[inline(always)]
    fn from_lane(bits: u32) -> u32 {
        bits
    }
    #[inline(always)]
    fn to_lane(self) -> u32 {
        self
    }
}

impl Lane for bool {
    #[inline(always)]
    fn from_lane(bits: u32) -> bool {
        bits != 0
    }
    #[inline(always)]
    fn to_lane(self) -> u32 {
        u32::from(self)
    }
}

/// A value of the float64 reference, in which integers and truth values are floats too.
pub(super) trait Wide {
    fn from_wide(v: f64) -> Self;
    fn to_wide(self) -> f64;
}

impl Wide for f64 {
    fn from_wide(v: f64) -> f64 {
        v
    }
    fn to_wide(self) -> f64 {
        self
    }
}

impl Wide for bool {
    fn from_wide(v: f64) -> bool {
        v != 0.0
    }
    fn to_wide(self) -> f64 {
        f64::from(u8::from(self))
    }
}

/// Functions that the table's closures need and the standard library lacks.
pub trait Real {
    /// The error function.
    fn error_function(self) -> Self;
}

impl Real for f32 {
    fn error_function(self) -> f32 {
        libm::erff(self)
    }
}

impl Real for f64 {
    fn error_function(self) -> f64 {
        libm::erf(self)
    }
}
