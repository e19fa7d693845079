// y[i] = the sum over p of parts[p, i], in the order of p.

alias OutElem = f32;
const PARTS: u32 = 4u;
const COUNT: u32 = 64u;

@group(0) @binding(0) var<storage, read_write> y: array<OutElem>; // [COUNT]
@group(0) @binding(1) var<storage, read> parts: array<f32>; // [PARTS, COUNT]

fn epilogue(value: f32, index: u32) -> f32 {
    return value;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = (group.x + group.y * groups.x) * 64u + thread;
    if (i >= COUNT) {
        return;
    }
    var sum = 0.0;
    for (var p = 0u; p < PARTS; p++) {
        sum += parts[p * COUNT + i];
    }
    y[i] = OutElem(epilogue(sum, i));
}
