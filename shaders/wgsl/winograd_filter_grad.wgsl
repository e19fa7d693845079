// Sums at the 36 positions, in PARTS parts, to the gradients of a filter's 3x3 taps: an invocation makes a row of three.

const PARTS: u32 = 1u;
const CHANNELS: u32 = 4u;
const FILTERS: u32 = 1u;
const FOURS: u32 = CHANNELS / 4u;
const COUNT: u32 = FILTERS * FOURS;
const ELEMENTS: u32 = 3u * COUNT;

@group(0) @binding(0) var<storage, read_write> c: array<vec4<f32>>; // dw [O, 3, 3, I]
@group(0) @binding(1) var<storage, read> sums: array<vec4<f32>>; // [PARTS, 36, O, I]

// Called once for every four elements of the result; index is the place of the first.
fn put4(value: vec4<f32>, index: u32) {
    c[index / 4u] = value;
}

// The parts in their order.
fn sum(i: u32, position: u32) -> vec4<f32> {
    var total = sums[position * COUNT + i];
    for (var part = 1u; part < PARTS; part++) {
        total += sums[(part * 36u + position) * COUNT + i];
    }
    return total;
}

fn column(i: u32, weights: Weights, j: u32) -> vec4<f32> {
    return weighted(
        Six(sum(i, j), sum(i, 6u + j), sum(i, 12u + j), sum(i, 18u + j), sum(i, 24u + j), sum(i, 30u + j)),
        weights,
    );
}

fn element(i: u32) {
    let kh = i / FOURS % 3u;
    let at = i / (3u * FOURS) * FOURS + i % FOURS;
    // As results are, but for the factors of the filter's transform.
    var each = weights(kh, 2u);
    each.near *= NEAR;
    each.far *= FAR;
    let taps = filter_grad_line(Six(
        column(at, each, 0u),
        column(at, each, 1u),
        column(at, each, 2u),
        column(at, each, 3u),
        column(at, each, 4u),
        column(at, each, 5u),
    ));
    let first = (at / FOURS * 9u + kh * 3u) * CHANNELS + at % FOURS * 4u;
    put4(taps.a, first);
    put4(taps.b, first + CHANNELS);
    put4(taps.c, first + 2u * CHANNELS);
}
