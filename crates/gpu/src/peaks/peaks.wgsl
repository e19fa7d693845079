// The two ends of the roofline: `copy` moves memory and computes nothing, `multiply_add` computes and moves next to nothing.
@group(0) @binding(0) var<storage, read> source: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> target_: array<vec4<f32>>;

override ROUNDS: u32 = 256u;
alias Wide = vec4<f32>;

const COPIES: u32 = 8u;

@compute @workgroup_size(256)
fn copy(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let first = (group.y * groups.x + group.x) * 256u * COPIES + lane;
    if first >= arrayLength(&target_) {
        return;
    }
    // The buffers hold whole workgroups.
    for (var i = 0u; i < COPIES; i++) {
        target_[first + i * 256u] = source[first + i * 256u];
    }
}

@compute @workgroup_size(256)
fn multiply_add(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                @builtin(local_invocation_index) lane: u32) {
    // Every sum tends to shift / (1 - scale) = 2: no overflow, no denormal. All depend on memory, so nothing is folded.
    let start = Wide(source[lane]);
    let scale = Wide(0.5) + start * Wide(0.001);
    let shift = Wide(1.0) - start * Wide(0.001);
    var a = start;
    var b = start + Wide(0.1);
    var c = start + Wide(0.2);
    var d = start + Wide(0.3);
    var e = start + Wide(0.4);
    var f = start + Wide(0.5);
    var g = start + Wide(0.6);
    var h = start + Wide(0.7);
    for (var i = 0u; i < ROUNDS; i++) {
        a = fma(a, scale, shift); b = fma(b, scale, shift); c = fma(c, scale, shift); d = fma(d, scale, shift);
        e = fma(e, scale, shift); f = fma(f, scale, shift); g = fma(g, scale, shift); h = fma(h, scale, shift);
        a = fma(a, scale, shift); b = fma(b, scale, shift); c = fma(c, scale, shift); d = fma(d, scale, shift);
        e = fma(e, scale, shift); f = fma(f, scale, shift); g = fma(g, scale, shift); h = fma(h, scale, shift);
    }
    let sum = vec4<f32>((a + b) + (c + d) + ((e + f) + (g + h)));
    target_[lane] = sum;
}
