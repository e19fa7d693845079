// Max pooling: taps may lie apart, and NaNs count.

alias Elem = f32;
const DILATION_H: u32 = 1u;
const DILATION_W: u32 = 1u;

// Looks at the bits: compilers may assume that no value is a NaN.
fn is_nan(v: f32) -> bool {
    return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}
