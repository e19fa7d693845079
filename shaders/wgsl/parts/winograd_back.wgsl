// A line of what comes back from the 36 positions: results of a tile, or gradients of a filter.

// How a line is made of each column of positions: what the first and the last position count, and the sums or differences of the others.
struct Weights { first: f32, near: f32, far: f32, last: f32, odd: bool }

// Those of line `line`, of which the last counts the last position.
fn weights(line: u32, last: u32) -> Weights {
    let odd = line % 2u == 1u;
    let near = select(1.0, 2.0, line >= 2u) * select(1.0, ROOT, odd);
    let far = select(1.0, 0.5, line >= 2u) * select(1.0, HALF_ROOT, odd);
    return Weights(select(0.0, 1.0, line == 0u), near, far, select(0.0, 1.0, line == last), odd);
}

fn weighted(m: Six, weights: Weights) -> vec4<f32> {
    let near = m.b + select(m.c, -m.c, weights.odd);
    let far = m.d + select(m.e, -m.e, weights.odd);
    let ends = weights.first * m.a + weights.last * m.f;
    return fma(vec4<f32>(weights.near), near, fma(vec4<f32>(weights.far), far, ends));
}
