// What 16 bits hold of a number, to the nearest and ties to even, in integers: compilers drop the pair of conversions
// f32(f16(x)), whose loss they may disregard.
fn as_half(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    let sign = bits & 0x80000000u;
    let size = bits & 0x7fffffffu;
    var half = (size + 0xfffu + ((size >> 13u) & 1u)) & 0xffffe000u;
    if size < 0x38800000u {
        // Below 2^-14 the step is 2^-24.
        let digits = (size & 0x7fffffu) | 0x800000u;
        let shift = min(126u - (size >> 23u), 25u);
        let steps = (digits + (1u << (shift - 1u)) - 1u + ((digits >> shift) & 1u)) >> shift;
        half = bitcast<u32>(f32(steps) * 0x1p-24f);
    } else if size > 0x7f800000u {
        half = size;
    } else if half >= 0x47800000u {
        half = 0x7f800000u;
    }
    return bitcast<f32>(half | sign);
}
