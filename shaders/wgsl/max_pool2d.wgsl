// The largest element of each window, per channel; minus infinity where the window lies wholly in the padding. Of several NaNs
// or equal elements the first in row-major order counts.

alias Elem = f32;
alias OutElem = f32;
const BATCH: u32 = 1u;
const IN_H: u32 = 4u;
const IN_W: u32 = 4u;
const CHANNELS: u32 = 1u;
const OUT_H: u32 = 2u;
const OUT_W: u32 = 2u;
const KERNEL_H: u32 = 2u;
const KERNEL_W: u32 = 2u;
const STRIDE_H: u32 = 2u;
const STRIDE_W: u32 = 2u;
const PAD_H: u32 = 0u;
const PAD_W: u32 = 0u;
const DILATION_H: u32 = 1u;
const DILATION_W: u32 = 1u;

@group(0) @binding(0) var<storage, read> x: array<Elem>; // [N, H, W, C]
@group(0) @binding(1) var<storage, read_write> y: array<OutElem>; // [N, OH, OW, C]

// Looks at the bits: compilers may assume that no value is a NaN.
fn is_nan(v: f32) -> bool {
    return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = (group.x + group.y * groups.x) * 64u + thread;
    if (i >= BATCH * OUT_H * OUT_W * CHANNELS) {
        return;
    }
    let c = i % CHANNELS;
    let ow = i / CHANNELS % OUT_W;
    let oh = i / (CHANNELS * OUT_W) % OUT_H;
    let n = i / (CHANNELS * OUT_W * OUT_H);
    // Minus infinity, which WGSL has no literal for and forbids as a constant.
    var infinity = 0xff800000u;
    var best = bitcast<f32>(infinity);
    var found = false;
    for (var kh = 0u; kh < KERNEL_H; kh++) {
        // Rows above the image wrap around to large numbers.
        let h = oh * STRIDE_H + kh * DILATION_H - PAD_H;
        for (var kw = 0u; kw < KERNEL_W; kw++) {
            let w = ow * STRIDE_W + kw * DILATION_W - PAD_W;
            if ((h < IN_H) & (w < IN_W)) {
                let v = f32(x[((n * IN_H + h) * IN_W + w) * CHANNELS + c]);
                if (!found | (((v > best) | is_nan(v)) & !is_nan(best))) {
                    best = v;
                    found = true;
                }
            }
        }
    }
    y[i] = OutElem(best);
}
