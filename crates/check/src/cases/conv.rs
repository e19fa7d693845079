//! Convolutions: kernels, strides, asymmetric padding, dilation, groups, depthwise; and transposed ones.

use crate::case::Case;
use crate::draw::Draw;
use chiaro_graph::ConvSpec;

/// x `[N,H,W,I]`, weight `[O,KH,KW,I/groups]`, stride, padding (top, bottom, left, right), dilation, groups.
type ConvRow = (&'static str, [usize; 4], [usize; 4], [usize; 2], [usize; 4], [usize; 2], usize);

const CONVOLUTIONS: &[ConvRow] = &[
    ("k1", [2, 6, 5, 8], [7, 1, 1, 8], [1, 1], [0; 4], [1, 1], 1),
    ("k1_s2", [2, 7, 8, 5], [6, 1, 1, 5], [2, 2], [0; 4], [1, 1], 1),
    ("k1_padded", [1, 3, 4, 5], [6, 1, 1, 5], [1, 1], [1, 0, 0, 2], [1, 1], 1),
    ("k3", [2, 8, 7, 4], [6, 3, 3, 4], [1, 1], [0; 4], [1, 1], 1),
    ("k3_p1", [2, 7, 9, 5], [8, 3, 3, 5], [1, 1], [1; 4], [1, 1], 1),
    ("k3_p1_vector_widths", [1, 8, 8, 16], [32, 3, 3, 16], [1, 1], [1; 4], [1, 1], 1),
    ("k3_s2_p1", [2, 9, 8, 3], [5, 3, 3, 3], [2, 2], [1; 4], [1, 1], 1),
    ("k3_dilated", [1, 9, 10, 4], [5, 3, 3, 4], [1, 1], [2; 4], [2, 2], 1),
    ("k3_dilated_s2_uneven", [1, 11, 10, 3], [4, 3, 2, 3], [2, 1], [1, 2, 0, 1], [2, 3], 1),
    ("k5_p2_rgb", [2, 9, 9, 3], [8, 5, 5, 3], [1, 1], [2; 4], [1, 1], 1),
    ("k7_s2_p3_rgb", [1, 13, 12, 3], [6, 7, 7, 3], [2, 2], [3; 4], [1, 1], 1),
    ("k3x1", [2, 6, 5, 3], [4, 3, 1, 3], [1, 1], [1, 1, 0, 0], [1, 1], 1),
    ("k1x5_s1x2", [2, 4, 9, 3], [4, 1, 5, 3], [1, 2], [0, 0, 2, 2], [1, 1], 1),
    ("asymmetric_padding", [2, 6, 6, 4], [5, 3, 3, 4], [2, 2], [0, 1, 0, 1], [1, 1], 1),
    ("very_asymmetric_padding", [1, 5, 4, 3], [4, 3, 3, 3], [1, 1], [2, 0, 1, 3], [1, 1], 1),
    ("padding_beyond_the_kernel", [1, 3, 3, 2], [3, 2, 2, 2], [1, 1], [3, 3, 2, 2], [1, 1], 1),
    ("window_skips_the_edge", [2, 8, 8, 3], [4, 2, 2, 3], [3, 3], [0; 4], [1, 1], 1),
    ("one_output_pixel", [3, 4, 4, 5], [7, 4, 4, 5], [1, 1], [0; 4], [1, 1], 1),
    ("stride_beyond_the_kernel", [1, 9, 9, 4], [4, 1, 2, 4], [4, 3], [0; 4], [1, 1], 1),
    ("groups_2", [2, 6, 6, 8], [10, 3, 3, 4], [1, 1], [1; 4], [1, 1], 2),
    ("groups_3_s2", [1, 7, 7, 6], [9, 3, 3, 2], [2, 2], [1; 4], [1, 1], 3),
    ("depthwise", [2, 7, 6, 9], [9, 3, 3, 1], [1, 1], [1; 4], [1, 1], 9),
    ("depthwise_s2_asymmetric", [2, 8, 7, 8], [8, 3, 3, 1], [2, 2], [0, 1, 0, 1], [1, 1], 8),
    ("depthwise_k5_dilated", [1, 9, 9, 5], [5, 5, 5, 1], [1, 1], [4; 4], [2, 2], 5),
    ("depthwise_multiplier_2", [2, 6, 6, 5], [10, 3, 3, 1], [1, 1], [1; 4], [1, 1], 5),
    ("many_channels", [1, 4, 5, 67], [33, 3, 3, 67], [1, 1], [1; 4], [1, 1], 1),
    ("large", [2, 33, 30, 16], [24, 3, 3, 16], [1, 1], [1; 4], [1, 1], 1),
];

/// x `[N,H,W,I]`, weight `[I,KH,KW,O/groups]`, stride, padding, output padding, groups.
type Transposed = (&'static str, [usize; 4], [usize; 4], [usize; 2], [usize; 4], [usize; 2], [usize; 2], usize);

const TRANSPOSED: &[Transposed] = &[
    ("k2_s2", [2, 5, 4, 6], [6, 2, 2, 5], [2, 2], [0; 4], [1, 1], [0, 0], 1),
    ("k3", [2, 4, 5, 4], [4, 3, 3, 5], [1, 1], [0; 4], [1, 1], [0, 0], 1),
    ("k3_s2_p1_out1", [2, 4, 4, 5], [5, 3, 3, 4], [2, 2], [1; 4], [1, 1], [1, 1], 1),
    ("k4_s2_p1", [1, 4, 5, 6], [6, 4, 4, 3], [2, 2], [1; 4], [1, 1], [0, 0], 1),
    ("k3_dilated", [1, 5, 5, 3], [3, 3, 3, 4], [1, 1], [1; 4], [2, 2], [0, 0], 1),
    ("uneven", [1, 4, 3, 4], [4, 3, 2, 3], [3, 2], [1, 0, 0, 1], [1, 2], [2, 1], 1),
    ("groups_2", [2, 4, 4, 6], [6, 3, 3, 2], [2, 2], [1; 4], [1, 1], [0, 0], 2),
    ("depthwise", [1, 4, 4, 5], [5, 3, 3, 1], [2, 2], [1; 4], [1, 1], [1, 0], 5),
    ("output_padding_beyond_the_stride", [1, 3, 3, 2], [2, 3, 3, 3], [1, 1], [0; 4], [2, 2], [1, 1], 1),
    ("output_padding_twice_the_stride", [2, 3, 4, 18], [18, 2, 3, 17], [1, 2], [1, 0, 0, 1], [3, 5], [2, 4], 1),
    ("output_padding_beyond_the_stride_below", [2, 4, 3, 3], [3, 3, 2, 4], [1, 2], [1; 4], [2, 1], [1, 1], 1),
    ("output_padding_beyond_the_stride_groups", [2, 4, 3, 6], [6, 3, 2, 2], [2, 1], [1; 4], [3, 2], [2, 1], 2),
    ("output_padding_beyond_the_stride_depthwise", [1, 4, 4, 5], [5, 3, 3, 1], [1, 2], [1; 4], [2, 3], [1, 2], 5),
];

pub(super) fn cases() -> Vec<Case> {
    let mut all = vec![];
    for &(name, x, w, stride, padding, dilation, groups) in CONVOLUTIONS {
        let spec = ConvSpec { stride, padding, dilation, groups };
        let case = Case::new(format!("conv2d/{name}"), move |g, v| g.conv2d(v[0], v[1], &spec));
        let case = case.float("x", &x, Draw::Normal).float("weight", &w, Draw::Normal);
        all.push(case.terms(w[1] * w[2] * w[3]));
    }
    for &(name, x, w, stride, padding, dilation, output_padding, groups) in TRANSPOSED {
        let spec = ConvSpec { stride, padding, dilation, groups };
        let case = Case::new(format!("conv_transpose2d/{name}"), move |g, v| {
            g.conv_transpose2d(v[0], v[1], &spec, output_padding)
        });
        let case = case.float("x", &x, Draw::Normal).float("weight", &w, Draw::Normal);
        all.push(case.terms(w[0] * w[1] * w[2] / groups));
    }
    all.push(
        Case::new("conv2d/bias_and_relu", |g, v| {
            let spec = ConvSpec { padding: [1; 4], ..ConvSpec::default() };
            let y = g.conv2d(v[0], v[1], &spec)?;
            let y = g.add(y, v[2])?;
            g.relu(y)
        })
        .float("x", &[2, 6, 5, 3], Draw::Normal)
        .float("weight", &[7, 3, 3, 3], Draw::Normal)
        .float("bias", &[7], Draw::Normal)
        .terms(27),
    );
    all
}
