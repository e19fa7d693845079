// An invocation for each of ELEMENTS elements, which a kernel says together with what is done for one.

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = (group.x + group.y * groups.x) * 64u + thread;
    if (i >= ELEMENTS) {
        return;
    }
    element(i);
}
