// Winograd's F(4x4, 3x3) (Lavin and Gray 2015): the small linear maps along one line, and the lines of a tile.
// Interpolation points are 0, +-sqrt(2), +-1/sqrt(2) and infinity, as on the CPU, whose measurements are in its module.

const ROOT: f32 = sqrt(2.0);
const HALF_ROOT: f32 = sqrt(0.5);
const NEAR: f32 = 1.0 / 6.0;
const FAR: f32 = -2.0 / 3.0;

// Elements along a line, four channels each.
struct Three { a: vec4<f32>, b: vec4<f32>, c: vec4<f32> }
struct Four { a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32> }
struct Six { a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>, e: vec4<f32>, f: vec4<f32> }

// Inputs of a tile to positions.
fn input_line(d: Six) -> Six {
    let near = fma(vec4<f32>(-0.5), d.c, d.e);
    let near_odd = ROOT * fma(vec4<f32>(-0.5), d.b, d.d);
    let far = fma(vec4<f32>(-2.0), d.c, d.e);
    let far_odd = HALF_ROOT * fma(vec4<f32>(-2.0), d.b, d.d);
    return Six(
        fma(vec4<f32>(-2.5), d.c, d.a + d.e),
        near + near_odd,
        near - near_odd,
        far + far_odd,
        far - far_odd,
        fma(vec4<f32>(-2.5), d.d, d.b + d.f),
    );
}

// Sums of products at the positions to outputs.
fn output_line(m: Six) -> Four {
    let near = m.b + m.c;
    let far = m.d + m.e;
    let near_odd = ROOT * (m.b - m.c);
    let far_odd = HALF_ROOT * (m.d - m.e);
    return Four(
        m.a + (near + far),
        near_odd + far_odd,
        fma(vec4<f32>(2.0), near, 0.5 * far),
        fma(vec4<f32>(2.0), near_odd, fma(vec4<f32>(0.5), far_odd, m.f)),
    );
}

// Taps of a filter to positions.
fn filter_line(g: Three) -> Six {
    let near = NEAR * fma(vec4<f32>(2.0), g.c, g.a);
    let near_odd = (NEAR * ROOT) * g.b;
    let far = FAR * fma(vec4<f32>(0.5), g.c, g.a);
    let far_odd = (FAR * HALF_ROOT) * g.b;
    return Six(g.a, near + near_odd, near - near_odd, far + far_odd, far - far_odd, g.c);
}

// Gradients of a tile's outputs to positions: the transpose of output_line.
fn output_grad_line(y: Four) -> Six {
    let near = fma(vec4<f32>(2.0), y.c, y.a);
    let near_odd = ROOT * fma(vec4<f32>(2.0), y.d, y.b);
    let far = fma(vec4<f32>(0.5), y.c, y.a);
    let far_odd = HALF_ROOT * fma(vec4<f32>(0.5), y.d, y.b);
    return Six(y.a, near + near_odd, near - near_odd, far + far_odd, far - far_odd, y.d);
}

// Sums at the positions to gradients of a filter's taps: the transpose of filter_line.
fn filter_grad_line(s: Six) -> Three {
    let near = NEAR * (s.b + s.c);
    let far = FAR * (s.d + s.e);
    let near_odd = (NEAR * ROOT) * (s.b - s.c);
    let far_odd = (FAR * HALF_ROOT) * (s.d - s.e);
    return Three(
        s.a + (near + far),
        near_odd + far_odd,
        fma(vec4<f32>(2.0), near, fma(vec4<f32>(0.5), far, s.f)),
    );
}
