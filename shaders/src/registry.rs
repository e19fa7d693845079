//! Every `.wgsl` file of the package, by name.

/// One embedded WGSL file.
#[derive(Debug, Clone, Copy)]
pub struct Shader {
    /// The file name without `.wgsl`.
    pub name: &'static str,
    /// The text, which parses and validates alone.
    pub source: &'static str,
}

macro_rules! shaders {
    ($($name:literal),* $(,)?) => {
        &[$(Shader { name: $name, source: include_str!(concat!("../wgsl/", $name, ".wgsl")) }),*]
    };
}

/// All shaders. Those without an entry point hold the operands of a matrix product, for `gemm` and `gemm_direct`.
pub const SHADERS: &[Shader] =
    shaders!["gemm", "gemm_direct", "matmul", "conv2d", "conv2d_input_grad", "conv2d_weight_grad", "sum_parts",];

/// The shader of this name.
pub fn shader(name: &str) -> Option<&'static Shader> {
    SHADERS.iter().find(|s| s.name == name)
}
