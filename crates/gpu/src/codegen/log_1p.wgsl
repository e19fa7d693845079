// The logarithm of 1 + x for x in 0..1, by its series where 1 + x has lost the digits of x.
fn log_1p(x: f32) -> f32 {
    return select(log(1.0 + x), x * (1.0 - x * (0.5 - x * (0.33333333 - x * 0.25))), x < 0.03);
}
