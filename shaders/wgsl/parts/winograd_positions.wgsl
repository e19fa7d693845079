// Where transformed values go: [position][row][channel], a position after the other, the channels of a row four at once.

const CHANNELS: u32 = 4u;
const ROWS: u32 = 1u;
const COUNT: u32 = ROWS * CHANNELS / 4u;

// Stores the six positions of line i of element `at`.
fn put_line(i: u32, at: u32, line: Six) {
    let first = 6u * i * COUNT + at;
    v[first] = line.a;
    v[first + COUNT] = line.b;
    v[first + 2u * COUNT] = line.c;
    v[first + 3u * COUNT] = line.d;
    v[first + 4u * COUNT] = line.e;
    v[first + 5u * COUNT] = line.f;
}
