// Max pooling of fours of channels: taps may lie apart, and NaNs count.

const DILATION_H: u32 = 1u;
const DILATION_W: u32 = 1u;

// Looks at the bits: compilers may assume that no value is a NaN.
fn are_nan(v: vec4<f32>) -> vec4<bool> {
    return (bitcast<vec4<u32>>(v) & vec4<u32>(0x7fffffffu)) > vec4<u32>(0x7f800000u);
}

// Whether a later value takes the place of the best.
fn better(v: vec4<f32>, best: vec4<f32>) -> vec4<bool> {
    return ((v > best) | are_nan(v)) & !are_nan(best);
}
