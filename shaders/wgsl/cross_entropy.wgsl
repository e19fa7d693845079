// Softmax cross-entropy of each row with the index of its class:
// w[t] (1 - s) (-log p[t]) + s / C sum over c of w[c] (-log p[c]); 0 where the row is ignored.

@group(0) @binding(0) var<storage, read> x: array<Elem>; // logits [ROWS, COLUMNS]
@group(0) @binding(1) var<storage, read> target_class: array<i32>; // [ROWS]
@group(0) @binding(2) var<storage, read_write> loss: array<OutElem>; // [ROWS]

// With p = exp(x - largest) / total: -log p = log(total) - (x - largest).
fn finish(row: Row, thread: u32) {
    var spread = 0.0;
    if (SMOOTHING != 0.0) {
        for (var c = row.lane; c < COLUMNS; c += LANES) {
            spread += class_weight(c) * (log(row.total) - (f32(x[row.first + c]) - row.largest));
        }
        spread = row_sum(thread, spread);
    }
    let own = class_of(row);
    if (row.valid & (row.lane == 0u)) {
        let hit = log(row.total) - (f32(x[row.first + own.index]) - row.largest);
        let value = class_weight(own.index) * (1.0 - SMOOTHING) * hit + SMOOTHING / f32(COLUMNS) * spread;
        loss[row.number] = OutElem(select(value, 0.0, own.ignored));
    }
}
