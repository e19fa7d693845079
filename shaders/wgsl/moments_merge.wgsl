// Merges the parts of moments_rows in their order: mean and biased variance of each column.

const ROWS: u32 = 64u;
const COLUMNS: u32 = 16u;
const PARTS: u32 = 2u;
const CHUNK: u32 = 32u;

@group(0) @binding(0) var<storage, read> parts: array<f32>; // [PARTS, 2, COLUMNS]
@group(0) @binding(1) var<storage, read_write> y: array<f32>; // [2, COLUMNS]

const ELEMENTS: u32 = COLUMNS;

fn element(i: u32) {
    var sum = Moments(f32(min(CHUNK, ROWS)), parts[i], parts[COLUMNS + i]);
    for (var p = 1u; p < PARTS; p++) {
        let at = p * 2u * COLUMNS + i;
        let count = f32(min(CHUNK, ROWS - p * CHUNK));
        sum = merged(sum, Moments(count, parts[at], parts[at + COLUMNS]));
    }
    y[i] = sum.mean;
    y[COLUMNS + i] = sum.squares / f32(ROWS);
}
