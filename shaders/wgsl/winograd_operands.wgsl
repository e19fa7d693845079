// Both operands of Winograd's products: filters and tiles, 36 positions each. An invocation makes a line of the positions of a filter or of
// a tile.

// No workgroup has both.
const FIRST_LINE: u32 = (FILTER_LINES + 63u) / 64u * 64u;
const ELEMENTS: u32 = FIRST_LINE + LINES;

fn element(i: u32) {
    if (i >= FIRST_LINE) {
        image_line(i - FIRST_LINE);
    } else if (i < FILTER_LINES) {
        filter_line_of(i);
    }
}
