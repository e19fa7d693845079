// Filters of 3x3 taps to 36 positions each. The input gradient is a convolution with the filters turned around.

const TURNED: bool = false;
const ELEMENTS: u32 = COUNT;

@group(0) @binding(0) var<storage, read> w: array<vec4<f32>>; // [O, 3, 3, I]
@group(0) @binding(1) var<storage, read_write> v: array<vec4<f32>>; // [36, O, I]

fn tap(i: u32, kh: u32, kw: u32) -> vec4<f32> {
    let fours = CHANNELS / 4u;
    let at = select(kh * 3u + kw, 8u - kh * 3u - kw, TURNED);
    return w[(i / fours * 9u + at) * fours + i % fours];
}

fn column(i: u32, kw: u32) -> Six {
    return filter_line(Three(tap(i, 0u, kw), tap(i, 1u, kw), tap(i, 2u, kw)));
}

fn element(i: u32) {
    let c0 = column(i, 0u);
    let c1 = column(i, 1u);
    let c2 = column(i, 2u);
    put_line(0u, i, filter_line(Three(c0.a, c1.a, c2.a)));
    put_line(1u, i, filter_line(Three(c0.b, c1.b, c2.b)));
    put_line(2u, i, filter_line(Three(c0.c, c1.c, c2.c)));
    put_line(3u, i, filter_line(Three(c0.d, c1.d, c2.d)));
    put_line(4u, i, filter_line(Three(c0.e, c1.e, c2.e)));
    put_line(5u, i, filter_line(Three(c0.f, c1.f, c2.f)));
}
