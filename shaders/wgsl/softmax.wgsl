// Softmax along the last axis, or its logarithm. The largest element is subtracted first.

alias Elem = f32;
alias OutElem = f32;
const ROWS: u32 = 8u;
const COLUMNS: u32 = 16u;
// Invocations that share a row: a power of two.
const LANES: u32 = 4u;
const THREADS: u32 = 64u;
const LOG: bool = false;

@group(0) @binding(0) var<storage, read> x: array<Elem>; // [ROWS, COLUMNS]
@group(0) @binding(1) var<storage, read_write> y: array<OutElem>; // [ROWS, COLUMNS]

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
        largest = max(largest, f32(x[first + c]));
    }
    largest = row_max(thread, largest);
    var total = 0.0;
    for (var c = lane; c < COLUMNS; c += LANES) {
        total += exp(f32(x[first + c]) - largest);
    }
    total = row_sum(thread, total);
    if (valid) {
        for (var c = lane; c < COLUMNS; c += LANES) {
            let shifted = f32(x[first + c]) - largest;
            y[first + c] = OutElem(select(exp(shifted) / total, shifted - log(total), LOG));
        }
    }
}
