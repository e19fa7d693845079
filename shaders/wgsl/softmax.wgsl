// Softmax along the last axis, or its logarithm. The largest element is subtracted first.

const LOG: bool = false;

@group(0) @binding(0) var<storage, read> x: array<Elem>; // [ROWS, COLUMNS]
@group(0) @binding(1) var<storage, read_write> y: array<OutElem>; // [ROWS, COLUMNS]

fn finish(row: Row, thread: u32) {
    if (row.valid) {
        for (var c = row.lane; c < COLUMNS; c += LANES) {
            let shifted = f32(x[row.first + c]) - row.largest;
            y[row.first + c] = OutElem(select(exp(shifted) / row.total, shifted - log(row.total), LOG));
        }
    }
}
