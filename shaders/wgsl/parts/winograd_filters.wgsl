// Filters of 3x3 taps to 36 positions each. The input gradient is a convolution with the filters turned around.

const TURNED: bool = false;
const FILTERS: u32 = 1u;
const FILTER_CHANNELS: u32 = 4u;
const FILTER_COUNT: u32 = FILTERS * FILTER_CHANNELS / 4u;

@group(0) @binding(0) var<storage, read> w: array<vec4<f32>>; // [FILTERS, 3, 3, FILTER_CHANNELS]
@group(0) @binding(1) var<storage, read_write> u: array<vec4<f32>>; // [36, FILTERS, FILTER_CHANNELS]

fn tap(i: u32, kh: u32, kw: u32) -> vec4<f32> {
    let fours = FILTER_CHANNELS / 4u;
    let at = select(kh * 3u + kw, 8u - kh * 3u - kw, TURNED);
    return w[(i / fours * 9u + at) * fours + i % fours];
}

fn filter_column(i: u32, kw: u32) -> Six {
    return filter_line(Three(tap(i, 0u, kw), tap(i, 1u, kw), tap(i, 2u, kw)));
}

fn put_filter_line(line: u32, i: u32, taps: Three) {
    let positions = filter_line(taps);
    let first = 6u * line * FILTER_COUNT + i;
    u[first] = positions.a;
    u[first + FILTER_COUNT] = positions.b;
    u[first + 2u * FILTER_COUNT] = positions.c;
    u[first + 3u * FILTER_COUNT] = positions.d;
    u[first + 4u * FILTER_COUNT] = positions.e;
    u[first + 5u * FILTER_COUNT] = positions.f;
}

// The filters' four channels of number `i`.
fn transform_filter(i: u32) {
    let c0 = filter_column(i, 0u);
    let c1 = filter_column(i, 1u);
    let c2 = filter_column(i, 2u);
    put_filter_line(0u, i, Three(c0.a, c1.a, c2.a));
    put_filter_line(1u, i, Three(c0.b, c1.b, c2.b));
    put_filter_line(2u, i, Three(c0.c, c1.c, c2.c));
    put_filter_line(3u, i, Three(c0.d, c1.d, c2.d));
    put_filter_line(4u, i, Three(c0.e, c1.e, c2.e));
    put_filter_line(5u, i, Three(c0.f, c1.f, c2.f));
}
