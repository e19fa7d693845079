// Softmax cross-entropy of each row with the index of its class:
// w[t] (1 - s) (-log p[t]) + s / C sum over c of w[c] (-log p[c]); 0 where the row is ignored.

alias Elem = f32;
alias OutElem = f32;
const ROWS: u32 = 8u;
const COLUMNS: u32 = 16u;
// Invocations that share a row: a power of two.
const LANES: u32 = 4u;
const THREADS: u32 = 64u;
const SMOOTHING: f32 = 0.0;
const IGNORE_INDEX: i32 = -100;

@group(0) @binding(0) var<storage, read> logits: array<Elem>; // [ROWS, COLUMNS]
@group(0) @binding(1) var<storage, read> target_class: array<i32>; // [ROWS]
// region weights
@group(0) @binding(2) var<storage, read_write> loss: array<OutElem>; // [ROWS]

fn class_weight(c: u32) -> f32 {
    return 1.0;
}
// end weights

var<workgroup> shared_values: array<f32, THREADS>;

// The largest value among the invocations of a row. All of the workgroup must call it.
fn row_max(thread: u32, value: f32) -> f32 {
    shared_values[thread] = value;
    workgroupBarrier();
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        if (thread % LANES < half) {
            shared_values[thread] = max(shared_values[thread], shared_values[thread + half]);
        }
        workgroupBarrier();
    }
    let result = shared_values[thread / LANES * LANES];
    workgroupBarrier();
    return result;
}

// The sum of the values of the invocations of a row, in a fixed order. All of the workgroup must call it.
fn row_sum(thread: u32, value: f32) -> f32 {
    shared_values[thread] = value;
    workgroupBarrier();
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        if (thread % LANES < half) {
            shared_values[thread] += shared_values[thread + half];
        }
        workgroupBarrier();
    }
    let result = shared_values[thread / LANES * LANES];
    workgroupBarrier();
    return result;
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let row = (group.x + group.y * groups.x) * (THREADS / LANES) + thread / LANES;
    let valid = row < ROWS;
    let lane = thread % LANES;
    let first = min(row, ROWS - 1u) * COLUMNS;
    var largest = -3.4028234e38;
    for (var c = lane; c < COLUMNS; c += LANES) {
        largest = max(largest, f32(logits[first + c]));
    }
    largest = row_max(thread, largest);
    var total = 0.0;
    for (var c = lane; c < COLUMNS; c += LANES) {
        total += exp(f32(logits[first + c]) - largest);
    }
    total = row_sum(thread, total);
    // With p = exp(x - largest) / total: -log p = log(total) - (x - largest).
    var spread = 0.0;
    if (SMOOTHING != 0.0) {
        for (var c = lane; c < COLUMNS; c += LANES) {
            spread += class_weight(c) * (log(total) - (f32(logits[first + c]) - largest));
        }
        spread = row_sum(thread, spread);
    }
    let label = target_class[min(row, ROWS - 1u)];
    let ignored = label == IGNORE_INDEX;
    let class_index = u32(clamp(label, 0, i32(COLUMNS) - 1));
    if (valid & (lane == 0u)) {
        let hit = log(total) - (f32(logits[first + class_index]) - largest);
        let value = class_weight(class_index) * (1.0 - SMOOTHING) * hit + SMOOTHING / f32(COLUMNS) * spread;
        loss[row] = OutElem(select(value, 0.0, ignored));
    }
}
