// Floats to integers: the fraction is dropped, numbers beyond the type become its ends (WGSL's own conversion stops at the last
// float before them), NaN becomes 0.
fn float_to_i32(x: f32) -> i32 {
    return select(select(i32(x), 2147483647, x >= 2147483648.0), 0, is_nan(x));
}

fn float_to_u32(x: f32) -> u32 {
    return select(select(u32(x), 4294967295u, x >= 4294967296.0), 0u, is_nan(x));
}
