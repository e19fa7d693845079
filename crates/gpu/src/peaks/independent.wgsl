// A dispatch that does nothing and only reads, so that nothing waits for it.
@group(0) @binding(0) var<storage, read> source: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> other: array<vec4<f32>>;

var<workgroup> kept: u32;

@compute @workgroup_size(64)
fn independent(@builtin(local_invocation_index) lane: u32) {
    if source[lane].x + other[lane].x == 12345.0 {
        kept = lane;
    }
}
