// A matrix whose rows are walked by LANES invocations each: largest element of a row, sum of the exponentials of what it is
// above the others, and then what a kernel does with these.

alias Elem = f32;
alias OutElem = f32;
const ROWS: u32 = 8u;
const COLUMNS: u32 = 16u;
// Invocations that share a row: a power of two.
const LANES: u32 = 4u;
const THREADS: u32 = 64u;

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

// What an invocation knows of its row: its number, whether there is one, and where it begins; its lane; largest and total as above.
struct Row { number: u32, valid: bool, first: u32, lane: u32, largest: f32, total: f32 }

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let row = (group.x + group.y * groups.x) * (THREADS / LANES) + thread / LANES;
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
    finish(Row(row, row < ROWS, first, lane, largest, total), thread);
}
