// Filters of 3x3 taps to 36 positions each. The input gradient is a convolution with the filters turned around.

const TURNED: bool = false;
const FILTERS: u32 = 1u;
const FILTER_CHANNELS: u32 = 4u;
const FILTER_COUNT: u32 = FILTERS * FILTER_CHANNELS / 4u;
// Lines of them, those of eight fours of channels one behind the other.
const FILTER_LINES: u32 = (FILTER_COUNT + 7u) / 8u * 48u;

@group(0) @binding(0) var<storage, read> w: array<vec4<f32>>; // [FILTERS, 3, 3, FILTER_CHANNELS]
@group(0) @binding(1) var<storage, read_write> u: array<vec4<f32>>; // [36, FILTERS, FILTER_CHANNELS]

fn tap(i: u32, kh: u32, kw: u32) -> vec4<f32> {
    let fours = FILTER_CHANNELS / 4u;
    let at = select(kh * 3u + kw, 8u - kh * 3u - kw, TURNED);
    return w[(i / fours * 9u + at) * fours + i % fours];
}

// Line `line` of what the three taps of a column give, in the order of filter_line.
fn filter_column(i: u32, line: u32, kw: u32) -> vec4<f32> {
    let top = tap(i, 0u, kw);
    let bottom = tap(i, 2u, kw);
    let far = line >= 3u;
    let scale = select(NEAR, FAR, far);
    let even = scale * fma(vec4<f32>(select(2.0, 0.5, far)), bottom, top);
    let odd = (scale * select(ROOT, HALF_ROOT, far)) * tap(i, 1u, kw);
    let inner = even + select(odd, -odd, line % 2u == 0u);
    return select(inner, select(top, bottom, line == 5u), (line == 0u) | (line == 5u));
}

// A line of six positions of a filter's four channels. Eight neighbours make the same line of theirs, 128 bytes to store at once, and the
// next eight another of the same filters, whose taps are at hand then. One that made all positions would have twice the registers of one
// that makes a line of an image, in the same kernel.
fn filter_line_of(i: u32) {
    let line = i / 8u % 6u;
    let at = i / 48u * 8u + i % 8u;
    if (at >= FILTER_COUNT) {
        return;
    }
    let taps = Three(filter_column(at, line, 0u), filter_column(at, line, 1u), filter_column(at, line, 2u));
    let positions = filter_line(taps);
    let first = 6u * line * FILTER_COUNT + at;
    u[first] = positions.a;
    u[first + FILTER_COUNT] = positions.b;
    u[first + 2u * FILTER_COUNT] = positions.c;
    u[first + 3u * FILTER_COUNT] = positions.d;
    u[first + 4u * FILTER_COUNT] = positions.e;
    u[first + 5u * FILTER_COUNT] = positions.f;
}
