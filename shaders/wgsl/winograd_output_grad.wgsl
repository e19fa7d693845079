// Tiles of 4x4 gradients of a convolution's results to 36 positions each, for the weight gradient's product of every position: an
// invocation makes a line of six positions.

const ELEMENTS: u32 = LINES;

// What a line counts of the four gradients of each column.
fn weights(line: u32) -> vec4<f32> {
    if ((line == 0u) | (line == 5u)) {
        return select(vec4<f32>(1.0, 0.0, 0.0, 0.0), vec4<f32>(0.0, 0.0, 0.0, 1.0), line == 5u);
    }
    let far = line >= 3u;
    let odd = select(ROOT, HALF_ROOT, far) * select(-1.0, 1.0, line % 2u == 1u);
    let further = select(2.0, 0.5, far);
    return vec4<f32>(1.0, odd, further, odd * further);
}

fn column(at: Place, weights: vec4<f32>, j: u32) -> vec4<f32> {
    let near = fma(vec4<f32>(weights.y), pixel(at, 1u, j), weights.x * pixel(at, 0u, j));
    return near + fma(vec4<f32>(weights.w), pixel(at, 3u, j), weights.z * pixel(at, 2u, j));
}

fn element(i: u32) {
    let at = place(i);
    let each = weights(at.line);
    let columns = Four(column(at, each, 0u), column(at, each, 1u), column(at, each, 2u), column(at, each, 3u));
    put_line(at.line, at.element, output_grad_line(columns));
}
