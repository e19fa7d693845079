// Sums at the 36 positions, in PARTS parts, to the gradients of a filter's 3x3 taps.

const PARTS: u32 = 1u;
const CHANNELS: u32 = 4u;
const FILTERS: u32 = 1u;
const FOURS: u32 = CHANNELS / 4u;
const ELEMENTS: u32 = FILTERS * FOURS;

@group(0) @binding(0) var<storage, read_write> c: array<vec4<f32>>; // dw [O, 3, 3, I]
@group(0) @binding(1) var<storage, read> sums: array<vec4<f32>>; // [PARTS, 36, O, I]

// Called once for every four elements of the result; index is the place of the first.
fn put4(value: vec4<f32>, index: u32) {
    c[index / 4u] = value;
}

// The parts in their order.
fn sum(i: u32, position: u32) -> vec4<f32> {
    var total = sums[position * ELEMENTS + i];
    for (var part = 1u; part < PARTS; part++) {
        total += sums[(part * 36u + position) * ELEMENTS + i];
    }
    return total;
}

fn column(i: u32, j: u32) -> Three {
    return filter_grad_line(
        Six(sum(i, j), sum(i, 6u + j), sum(i, 12u + j), sum(i, 18u + j), sum(i, 24u + j), sum(i, 30u + j)),
    );
}

fn put_taps(i: u32, kh: u32, taps: Three) {
    let first = (i / FOURS * 9u + kh * 3u) * CHANNELS + i % FOURS * 4u;
    put4(taps.a, first);
    put4(taps.b, first + CHANNELS);
    put4(taps.c, first + 2u * CHANNELS);
}

fn element(i: u32) {
    let c0 = column(i, 0u);
    let c1 = column(i, 1u);
    let c2 = column(i, 2u);
    let c3 = column(i, 3u);
    let c4 = column(i, 4u);
    let c5 = column(i, 5u);
    put_taps(i, 0u, filter_grad_line(Six(c0.a, c1.a, c2.a, c3.a, c4.a, c5.a)));
    put_taps(i, 1u, filter_grad_line(Six(c0.b, c1.b, c2.b, c3.b, c4.b, c5.b)));
    put_taps(i, 2u, filter_grad_line(Six(c0.c, c1.c, c2.c, c3.c, c4.c, c5.c)));
}
