//! Every `.wgsl` file of the package, by name: kernels and the parts that they are made of.

/// One embedded WGSL file.
#[derive(Debug, Clone, Copy)]
pub struct Shader {
    /// The file name without `.wgsl`.
    pub name: &'static str,
    /// The text: declarations, some of whose values a kernel gives.
    pub source: &'static str,
    /// The parts that it needs.
    pub parts: &'static [&'static str],
}

macro_rules! shaders {
    ($list:ident, $folder:literal: $($name:ident $([$($part:ident),*])?;)*) => {
        pub(crate) const $list: &[Shader] = &[$(Shader {
            name: stringify!($name),
            source: include_str!(concat!("../wgsl/", $folder, stringify!($name), ".wgsl")),
            parts: &[$($(stringify!($part)),*)?],
        }),*];
    };
}

// All kernels. Those without an entry point hold the operands of a matrix product, which `gemm` multiplies.
shaders! { SHADERS, "":
    arg_reduce [axis, elements];
    avg_pool2d [pool_shape, pool_average, elements];
    avg_pool2d_fours [pool_shape, pool_fours, pool_average, elements];
    avg_pool2d_fours_grad [pool_shape, pool_fours, pool_average, elements];
    avg_pool2d_grad [pool_shape, pool_average, elements];
    conv2d [conv_shape, conv_groups, gemm_operands, a_window, b_plain];
    conv2d_input_grad [conv_shape, conv_groups, gemm_operands, a_window, b_plain];
    conv2d_weight_grad [conv_shape, conv_groups, gemm_operands, a_plain, k_parts];
    cross_entropy [rows, class_index];
    cross_entropy_grad [rows, class_index];
    depthwise [conv_shape, depthwise_channels, elements];
    depthwise_input_grad [conv_shape, depthwise_channels, elements];
    depthwise_strips [conv_shape, depthwise_strips, depthwise_weights];
    depthwise_strips_input_grad [conv_shape, depthwise_strips, depthwise_weights];
    depthwise_strips_weight_grad [conv_shape, depthwise_strips];
    depthwise_weight_grad [conv_shape, depthwise_channels, elements];
    gather [axis, axis_index, axis_pick, elements];
    index_add [axis, axis_index, axis_add, elements];
    index_select [axis, axis_index, axis_pick, elements];
    matmul [gemm_operands, a_plain, b_plain, k_parts];
    max_pool2d [pool_shape, pool_max, elements];
    max_pool2d_fours [pool_shape, pool_fours, pool_max_fours, elements];
    max_pool2d_fours_grad [pool_shape, pool_fours, pool_max_fours, elements];
    max_pool2d_grad [pool_shape, pool_max, elements];
    max_pool2d_index [pool_shape, pool_max, elements];
    max_pool2d_taps [pool_shape, pool_fours, pool_max_fours, elements];
    moments_columns [moments];
    moments_merge [moments, elements];
    moments_rows [moments];
    scatter_add [axis, axis_index, axis_add, elements];
    softmax [rows];
    sum_parts [elements];
    winograd_filter_grad [winograd, winograd_back, elements];
    winograd_input [winograd, winograd_tiles, winograd_image, elements];
    winograd_operands [winograd, winograd_tiles, winograd_image, winograd_filters, elements];
    winograd_output [winograd, winograd_back];
    winograd_output_grad [winograd, winograd_tiles, elements];
}

// What several kernels have, and what a kernel has one of.
shaders! { PARTS, "parts/":
    a_kept;
    a_plain;
    a_window;
    axis;
    axis_add;
    axis_index;
    axis_pick;
    b_plain;
    class_index;
    conv_groups;
    conv_shape;
    depthwise_channels;
    depthwise_strips;
    depthwise_weights;
    elements;
    equal_classes;
    gemm;
    gemm_cooperative;
    gemm_operands;
    gemm_put;
    gemm_put4;
    gemm_put_in_a_loop;
    gemm_workgroup;
    k_parts;
    moments;
    pool_average;
    pool_fours;
    pool_max;
    pool_max_fours;
    pool_shape;
    rows;
    weighted_classes;
    winograd;
    winograd_back;
    winograd_filters;
    winograd_image;
    winograd_kept;
    winograd_tiles;
}

/// The kernel of this name.
pub fn shader(name: &str) -> Option<&'static Shader> {
    SHADERS.iter().find(|s| s.name == name)
}

/// The part of this name.
pub(crate) fn part(name: &str) -> Option<&'static Shader> {
    PARTS.iter().find(|s| s.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_lists_hold_every_file_of_the_folders() {
        for (list, folder) in [(SHADERS, "/wgsl"), (PARTS, "/wgsl/parts")] {
            let folder = std::fs::read_dir(format!("{}{folder}", env!("CARGO_MANIFEST_DIR"))).expect("a folder");
            let files = folder.map(|file| file.expect("a file").file_name().to_string_lossy().into_owned());
            let files: BTreeSet<String> = files.filter_map(|f| f.strip_suffix(".wgsl").map(str::to_owned)).collect();
            assert_eq!(files, list.iter().map(|s| s.name.to_owned()).collect());
        }
    }
}
