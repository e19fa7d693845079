// The gradient of cross_entropy with respect to the logits:
// g [w[t] (1 - s) (p - e_t) + s / C (p sum over c of w[c] - w)]; 0 where the row is ignored.

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
@group(0) @binding(2) var<storage, read> cotangent: array<f32>; // [ROWS]
// region weights
@group(0) @binding(3) var<storage, read_write> dlogits: array<OutElem>; // [ROWS, COLUMNS]

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
    var all_weights = 0.0;
    if (SMOOTHING != 0.0) {
        for (var c = lane; c < COLUMNS; c += LANES) {
            all_weights += class_weight(c);
        }
        all_weights = row_sum(thread, all_weights);
    }
    let label = target_class[min(row, ROWS - 1u)];
    let ignored = label == IGNORE_INDEX;
    let class_index = u32(clamp(label, 0, i32(COLUMNS) - 1));
    if (valid) {
        let g = cotangent[row];
        let own = class_weight(class_index) * (1.0 - SMOOTHING);
        for (var c = lane; c < COLUMNS; c += LANES) {
            let p = exp(f32(logits[first + c]) - largest) / total;
            let hit = select(0.0, 1.0, c == class_index);
            let even = SMOOTHING / f32(COLUMNS) * (p * all_weights - class_weight(c));
            dlogits[first + c] = OutElem(select(g * (own * (p - hit) + even), 0.0, ignored));
        }
    }
}
