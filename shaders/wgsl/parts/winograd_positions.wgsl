// Where transformed values go: [position][row][channel], a position after the other, the channels of a row four at once.

const CHANNELS: u32 = 4u;
const ROWS: u32 = 1u;
const ELEMENTS: u32 = ROWS * CHANNELS / 4u;

// Stores the six positions of line i of element `at`.
fn put_line(i: u32, at: u32, line: Six) {
    let first = 6u * i * ELEMENTS + at;
    v[first] = line.a;
    v[first + ELEMENTS] = line.b;
    v[first + 2u * ELEMENTS] = line.c;
    v[first + 3u * ELEMENTS] = line.d;
    v[first + 4u * ELEMENTS] = line.e;
    v[first + 5u * ELEMENTS] = line.f;
}
