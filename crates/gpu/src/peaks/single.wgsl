// Loads from workgroup memory, and dispatches that do nothing.
@group(0) @binding(0) var<storage, read> source: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> target_: array<vec4<f32>>;

const ROUNDS: u32 = 256u;

var<workgroup> words: array<f32, 4096>;

@compute @workgroup_size(256)
fn loads_of_4(@builtin(local_invocation_index) lane: u32) {
    for (var i = lane; i < 4096u; i += 256u) {
        words[i] = source[lane].x;
    }
    workgroupBarrier();
    var sum0 = f32();
    var sum1 = f32();
    var sum2 = f32();
    var sum3 = f32();
    for (var i = 0u; i < ROUNDS; i++) {
        // Another place every round, so that no load can be kept; neighbours load neighbours.
        let at = lane + i * 32u;
        sum0 += words[(at + 0u) & 4095u];
        sum1 += words[(at + 256u) & 4095u];
        sum2 += words[(at + 512u) & 4095u];
        sum3 += words[(at + 768u) & 4095u];
        sum0 += words[(at + 1024u) & 4095u];
        sum1 += words[(at + 1280u) & 4095u];
        sum2 += words[(at + 1536u) & 4095u];
        sum3 += words[(at + 1792u) & 4095u];
        sum0 += words[(at + 2048u) & 4095u];
        sum1 += words[(at + 2304u) & 4095u];
        sum2 += words[(at + 2560u) & 4095u];
        sum3 += words[(at + 2816u) & 4095u];
        sum0 += words[(at + 3072u) & 4095u];
        sum1 += words[(at + 3328u) & 4095u];
        sum2 += words[(at + 3584u) & 4095u];
        sum3 += words[(at + 3840u) & 4095u];
    }
    target_[lane] = vec4<f32>(sum0, sum1, sum2, sum3);
}

var<workgroup> wide_words: array<vec4<f32>, 1024>;

@compute @workgroup_size(256)
fn loads_of_16(@builtin(local_invocation_index) lane: u32) {
    for (var i = lane; i < 1024u; i += 256u) {
        wide_words[i] = source[lane];
    }
    workgroupBarrier();
    var sum0 = vec4<f32>();
    var sum1 = vec4<f32>();
    var sum2 = vec4<f32>();
    var sum3 = vec4<f32>();
    for (var i = 0u; i < ROUNDS; i++) {
        // No place twice in a round nor in 16 rounds, so that no load can be kept; neighbours load neighbours.
        let at = lane + i * 4u;
        sum0 += wide_words[(at + 0u) & 1023u];
        sum1 += wide_words[(at + 64u) & 1023u];
        sum2 += wide_words[(at + 128u) & 1023u];
        sum3 += wide_words[(at + 192u) & 1023u];
        sum0 += wide_words[(at + 256u) & 1023u];
        sum1 += wide_words[(at + 320u) & 1023u];
        sum2 += wide_words[(at + 384u) & 1023u];
        sum3 += wide_words[(at + 448u) & 1023u];
        sum0 += wide_words[(at + 512u) & 1023u];
        sum1 += wide_words[(at + 576u) & 1023u];
        sum2 += wide_words[(at + 640u) & 1023u];
        sum3 += wide_words[(at + 704u) & 1023u];
        sum0 += wide_words[(at + 768u) & 1023u];
        sum1 += wide_words[(at + 832u) & 1023u];
        sum2 += wide_words[(at + 896u) & 1023u];
        sum3 += wide_words[(at + 960u) & 1023u];
    }
    target_[lane] = (sum0 + sum1) + (sum2 + sum3);
}

@compute @workgroup_size(64)
fn dependent(@builtin(local_invocation_index) lane: u32) {
    // Never so, which no compiler knows: every dispatch may write what the next one reads.
    if target_[0].x == 12345.0 {
        target_[lane] = source[lane];
    }
}
