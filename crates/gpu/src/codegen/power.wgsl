// x to the power y as C's pow defines it; WGSL's own knows positive x alone. Sizes and signs are put together from bits, since
// compilers may assume that no value is infinite.
fn power(x: f32, y: f32) -> f32 {
    let x_size = bitcast<u32>(x) & 0x7fffffffu;
    let y_size = bitcast<u32>(y) & 0x7fffffffu;
    let infinity = 0x7f800000u;
    let one = 0x3f800000u;
    // All floats from 2^24 on, and infinity, are even.
    let whole = floor(y) == y;
    let half = abs(y) * 0.5;
    let odd = whole && y_size < 0x4b800000u && !(floor(half) == half);
    let negative = bitcast<u32>(x) != x_size;
    if (y_size == 0u || bitcast<u32>(x) == one) {
        return 1.0;
    }
    let ordinary = x_size != 0u && x_size < infinity && y_size < infinity;
    let no_number = x_size > infinity || y_size > infinity || (negative && ordinary && !whole);
    var size = bitcast<u32>(pow(bitcast<f32>(x_size), y));
    if (no_number) {
        size = 0x7fc00000u;
    } else if (x_size == one) {
        size = one;
    } else if (!ordinary) {
        // Zero or infinite: beyond 1 it grows with y, below with -y.
        size = select(0u, infinity, (x_size > one) == (bitcast<u32>(y) == y_size));
    }
    return bitcast<f32>(size | select(0u, 0x80000000u, odd && negative));
}
