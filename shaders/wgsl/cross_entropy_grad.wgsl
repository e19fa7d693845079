// The gradient of cross_entropy with respect to the logits:
// g [w[t] (1 - s) (p - e_t) + s / C (p sum over c of w[c] - w)]; 0 where the row is ignored.

@group(0) @binding(0) var<storage, read> x: array<Elem>; // logits [ROWS, COLUMNS]
@group(0) @binding(1) var<storage, read> target_class: array<i32>; // [ROWS]
@group(0) @binding(2) var<storage, read> cotangent: array<f32>; // [ROWS]
@group(0) @binding(3) var<storage, read_write> dlogits: array<OutElem>; // [ROWS, COLUMNS]

fn finish(row: Row, thread: u32) {
    var all_weights = 0.0;
    if (SMOOTHING != 0.0) {
        for (var c = row.lane; c < COLUMNS; c += LANES) {
            all_weights += class_weight(c);
        }
        all_weights = row_sum(thread, all_weights);
    }
    let own = class_of(row);
    if (row.valid) {
        let g = cotangent[row.number];
        let share = class_weight(own.index) * (1.0 - SMOOTHING);
        for (var c = row.lane; c < COLUMNS; c += LANES) {
            let p = exp(f32(x[row.first + c]) - row.largest) / row.total;
            let hit = select(0.0, 1.0, c == own.index);
            let even = SMOOTHING / f32(COLUMNS) * (p * all_weights - class_weight(c));
            dlogits[row.first + c] = OutElem(select(g * (share * (p - hit) + even), 0.0, own.ignored));
        }
    }
}
