// Where the first largest (or smallest) element along an axis lies; the first NaN comes before every number.

alias Elem = f32;
// In which elements are compared.
alias Value = f32;
const OUTER: u32 = 2u;
const AXIS: u32 = 4u;
const INNER: u32 = 2u;
const SMALLEST: bool = false;

@group(0) @binding(0) var<storage, read> x: array<Elem>; // [OUTER, AXIS, INNER]
@group(0) @binding(1) var<storage, read_write> y: array<i32>; // [OUTER, INNER]

// Looks at the bits: compilers may assume that no value is a NaN.
fn is_nan(v: Value) -> bool {
    return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = (group.x + group.y * groups.x) * 64u + thread;
    if (i >= OUTER * INNER) {
        return;
    }
    let first = i / INNER * AXIS * INNER + i % INNER;
    var best = Value(x[first]);
    var at = 0u;
    for (var k = 1u; k < AXIS; k++) {
        let v = Value(x[first + k * INNER]);
        let better = select(v > best, v < best, SMALLEST);
        if ((better | is_nan(v)) & !is_nan(best)) {
            best = v;
            at = k;
        }
    }
    y[i] = i32(at);
}
