
// u / w in units of 2^-8, rounded down: u has 16 digits behind the point, d, which is w, 12.
fn quotient(u: i32, d: i32) -> i32 {
    var whole = u / d;
    var rest = u - whole * d;
    if (rest < 0) {
        whole -= 1;
        rest += d;
    }
    return whole * 16 + rest * 16 / d;
}

fn spot(n: u32, y: i32, x: i32) -> Spot {
    let m = 9u * n;
    let u = place[m] * y + place[m + 1u] * x + place[m + 2u];
    let v = place[m + 3u] * y + place[m + 4u] * x + place[m + 5u];
    let w = place[m + 6u] * y + place[m + 7u] * x + place[m + 8u];
    if (w == 65536) {
        return Spot((vec2(u, v) + 128) >> vec2(8u), true);
    }
    let d = w >> 4u;
    if (d < 1) {
        return Spot(vec2(0), false);
    }
    return Spot(vec2(quotient(u, d), quotient(v, d)), true);
}
