// y[o, n, i] = the sum of source[o, m, i] over the m with index[o, m, i] = n, in the order of m.
// Each invocation looks at every index for one element: no atomics, and the same bits every run.

alias OutElem = f32;
alias Elem = f32;
const OUTER: u32 = 2u;
const AXIS: u32 = 4u;
const INNER: u32 = 2u;
const COUNT: u32 = 3u;

@group(0) @binding(0) var<storage, read> source: array<Elem>; // [OUTER, COUNT, INNER]
@group(0) @binding(1) var<storage, read> index: array<i32>; // [OUTER, COUNT, INNER]
@group(0) @binding(2) var<storage, read_write> y: array<OutElem>; // [OUTER, AXIS, INNER]

// An index moved inside of the axis: outside is the caller's error, but must not read elsewhere.
fn inside(at: i32) -> u32 {
    return u32(clamp(at, 0, i32(AXIS) - 1));
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = (group.x + group.y * groups.x) * 64u + thread;
    if (i >= OUTER * AXIS * INNER) {
        return;
    }
    let n = i / INNER % AXIS;
    let first = i / (AXIS * INNER) * COUNT * INNER + i % INNER;
    var sum = 0.0;
    for (var m = 0u; m < COUNT; m++) {
        let at = first + m * INNER;
        if (inside(index[at]) == n) {
            sum += f32(source[at]);
        }
    }
    y[i] = OutElem(sum);
}
