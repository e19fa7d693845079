// The gradient of avg_pool2d: each window's gradient, divided as the window was, goes to its elements.

alias GradElem = f32;
alias OutElem = f32;

@group(0) @binding(0) var<storage, read> dy: array<GradElem>; // [N, OH, OW, C]
@group(0) @binding(1) var<storage, read_write> dx: array<OutElem>; // [N, H, W, C]

const ELEMENTS: u32 = BATCH * IN_H * IN_W * CHANNELS;

fn element(i: u32) {
    let c = i % CHANNELS;
    let iw = i / CHANNELS % IN_W;
    let ih = i / (CHANNELS * IN_W) % IN_H;
    let n = i / (CHANNELS * IN_W * IN_H);
    // The windows that may cover this pixel: its distance from a window's first pixel is 0 to the window's reach.
    let h = ih + PAD_H;
    let w = iw + PAD_W;
    let reach_h = (KERNEL_H - 1u);
    let reach_w = (KERNEL_W - 1u);
    let first_h = (h - min(h, reach_h) + STRIDE_H - 1u) / STRIDE_H;
    let first_w = (w - min(w, reach_w) + STRIDE_W - 1u) / STRIDE_W;
    let end_h = min(h / STRIDE_H + 1u, OUT_H);
    let end_w = min(w / STRIDE_W + 1u, OUT_W);
    var sum = 0.0;
    for (var oh = first_h; oh < end_h; oh++) {
        for (var ow = first_w; ow < end_w; ow++) {
            let o = ((n * OUT_H + oh) * OUT_W + ow) * CHANNELS + c;
            sum += f32(dy[o]) / divisor(oh, ow);
        }
    }
    dx[i] = OutElem(sum);
}
