// A line of the 36 positions of a tile of 6x6 pixels.

// What a line counts of each column: four pixels, how far down they are, and what each counts.
struct Weights { down: vec4<u32>, each: vec4<f32> }

fn weights(line: u32) -> Weights {
    if ((line == 0u) | (line == 5u)) {
        let first = line / 5u;
        return Weights(vec4<u32>(first, first + 2u, first + 4u, first + 4u), vec4<f32>(1.0, -2.5, 1.0, 0.0));
    }
    let far = line >= 3u;
    let even = select(-0.5, -2.0, far);
    let odd = select(ROOT, HALF_ROOT, far) * select(-1.0, 1.0, line % 2u == 1u);
    return Weights(vec4<u32>(1u, 2u, 3u, 4u), vec4<f32>(odd * even, even, odd, 1.0));
}

fn column(at: Place, weights: Weights, j: u32) -> vec4<f32> {
    let near = fma(vec4<f32>(weights.each.y), pixel(at, weights.down.y, j), weights.each.x * pixel(at, weights.down.x, j));
    let far = fma(vec4<f32>(weights.each.w), pixel(at, weights.down.w, j), weights.each.z * pixel(at, weights.down.z, j));
    return near + far;
}

fn image_line(i: u32) {
    let at = place(i);
    let each = weights(at.line);
    put_line(
        at.line,
        at.element,
        input_line(Six(
            column(at, each, 0u),
            column(at, each, 1u),
            column(at, each, 2u),
            column(at, each, 3u),
            column(at, each, 4u),
            column(at, each, 5u),
        )),
    );
}
