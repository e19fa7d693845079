//! The element type of a storage buffer.

/// The element type of a buffer of real numbers. Arithmetic and accumulation are always f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Elem {
    /// 32-bit floats.
    #[default]
    F32,
    /// 16-bit floats; the device must have `SHADER_F16`.
    F16,
}

impl Elem {
    /// The scalar type in WGSL.
    pub fn wgsl(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
        }
    }

    /// The type of a load or store of `width` elements in WGSL: 1 or 4; 8 are two of four.
    pub(crate) fn word(self, width: u32) -> String {
        word(self.wgsl(), width)
    }

    /// Bytes of one element.
    pub fn bytes(self) -> u32 {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }
}

/// `scalar`, or the vector of four of it, of which eight take two.
pub(crate) fn word(scalar: &str, width: u32) -> String {
    match width {
        4 | 8 => format!("vec4<{scalar}>"),
        _ => scalar.to_owned(),
    }
}
