// max_pool2d_grad of fours of channels, from the taps that max_pool2d_taps found: each invocation gathers what the windows over its
// pixel give it.

alias GradVal = vec4<f32>;
alias OutVal = vec4<f32>;

@group(0) @binding(0) var<storage, read> dy: array<GradVal>; // [N, OH, OW, C / 4]
@group(0) @binding(1) var<storage, read_write> dx: array<OutVal>; // [N, H, W, C / 4]
@group(0) @binding(2) var<storage, read> taps: array<u32>; // [N, OH, OW, C / 4]

const ELEMENTS: u32 = BATCH * IN_H * IN_W * QUADS;

fn element(i: u32) {
    let c = i % QUADS;
    let iw = i / QUADS % IN_W;
    let ih = i / (QUADS * IN_W) % IN_H;
    let n = i / (QUADS * IN_W * IN_H);
    // The windows that may cover this pixel: its distance from a window's first pixel is 0 to the window's reach.
    let h = ih + PAD_H;
    let w = iw + PAD_W;
    let reach_h = (KERNEL_H - 1u) * DILATION_H;
    let reach_w = (KERNEL_W - 1u) * DILATION_W;
    let first_h = (h - min(h, reach_h) + STRIDE_H - 1u) / STRIDE_H;
    let first_w = (w - min(w, reach_w) + STRIDE_W - 1u) / STRIDE_W;
    let end_h = min(h / STRIDE_H + 1u, OUT_H);
    let end_w = min(w / STRIDE_W + 1u, OUT_W);
    var sum = vec4<f32>();
    for (var oh = first_h; oh < end_h; oh++) {
        for (var ow = first_w; ow < end_w; ow++) {
            let from_h = h - oh * STRIDE_H;
            let from_w = w - ow * STRIDE_W;
            let o = ((n * OUT_H + oh) * OUT_W + ow) * QUADS + c;
            let hit = (from_h % DILATION_H == 0u) & (from_w % DILATION_W == 0u);
            let tap = from_h / DILATION_H * KERNEL_W + from_w / DILATION_W;
            let chosen = ((vec4<u32>(taps[o]) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(255u)) == vec4<u32>(tap);
            sum += select(vec4<f32>(), vec4<f32>(dy[o]), chosen & vec4<bool>(hit));
        }
    }
    dx[i] = OutVal(sum);
}
