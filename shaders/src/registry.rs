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
    ($($name:ident;)*) => {
        /// All shaders. Those without an entry point hold the operands of a matrix product, for `gemm` and `gemm_direct`.
        pub const SHADERS: &[Shader] = &[$(Shader {
            name: stringify!($name),
            source: include_str!(concat!("../wgsl/", stringify!($name), ".wgsl")),
        }),*];
    };
}

shaders! {
    arg_reduce;
    avg_pool2d;
    avg_pool2d_grad;
    conv2d;
    conv2d_input_grad;
    conv2d_weight_grad;
    cross_entropy;
    cross_entropy_grad;
    depthwise;
    depthwise_input_grad;
    depthwise_weight_grad;
    gather;
    gemm;
    gemm_cooperative;
    gemm_direct;
    index_add;
    index_select;
    matmul;
    max_pool2d;
    max_pool2d_grad;
    max_pool2d_index;
    moments_columns;
    moments_merge;
    moments_rows;
    scatter_add;
    softmax;
    sum_parts;
}

/// The shader of this name.
pub fn shader(name: &str) -> Option<&'static Shader> {
    SHADERS.iter().find(|s| s.name == name)
}
