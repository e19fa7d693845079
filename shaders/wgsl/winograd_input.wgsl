// Tiles of 6x6 pixels to 36 positions each, for Winograd's product of every position: an invocation makes a line of six positions.

const ELEMENTS: u32 = LINES;

fn element(i: u32) {
    image_line(i);
}
