//! The functions of a kernel into which generated code is put. Their signatures are the templates'.

/// A function that generated code may define anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// `put(value: f32, index: u32)`: what is done with an element of the result; by default it is stored.
    Put,
    /// `put4(value: vec4<f32>, index: u32)`: with four that follow one another. A template has this one or [`Hook::Put`].
    Put4,
    /// `a_load(word: u32) -> AVal`: what lies at a word of the left operand of a product.
    LoadA,
    /// `b_load(word: u32) -> BVal`: what lies at a word of the right one.
    LoadB,
    /// `a_keep(word: u32, value: AVal)`: where the left operand is kept as it is computed, what is done with a word by the one invocation
    /// that keeps it.
    KeepA,
}

impl Hook {
    /// The name of the function.
    pub fn name(self) -> &'static str {
        match self {
            Hook::Put => "put",
            Hook::Put4 => "put4",
            Hook::LoadA => "a_load",
            Hook::LoadB => "b_load",
            Hook::KeepA => "a_keep",
        }
    }

    /// The hook that reads a buffer of this name, and the type of what it gives.
    pub fn load_of(buffer: &str) -> Option<(Hook, &'static str)> {
        match buffer {
            "a" => Some((Hook::LoadA, "AVal")),
            "b" => Some((Hook::LoadB, "BVal")),
            _ => None,
        }
    }
}
