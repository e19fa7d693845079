// y[o, m, i] = x[o, index[o, m, i], i].

alias Elem = f32;
const OUTER: u32 = 2u;
const AXIS: u32 = 4u;
const INNER: u32 = 2u;
const COUNT: u32 = 3u;

@group(0) @binding(0) var<storage, read> x: array<Elem>; // [OUTER, AXIS, INNER]
@group(0) @binding(1) var<storage, read> index: array<i32>; // [OUTER, COUNT, INNER]
@group(0) @binding(2) var<storage, read_write> y: array<Elem>; // [OUTER, COUNT, INNER]

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
    if (i >= OUTER * COUNT * INNER) {
        return;
    }
    let outer = i / (COUNT * INNER);
    y[i] = x[(outer * AXIS + inside(index[i])) * INNER + i % INNER];
}
