// avg_pool2d_grad of fours of channels.

alias OutVal = vec4<f32>;

@group(0) @binding(0) var<storage, read> dy: array<Val>; // [N, OH, OW, C / 4]
@group(0) @binding(1) var<storage, read_write> dx: array<OutVal>; // [N, H, W, C / 4]

const ELEMENTS: u32 = BATCH * IN_H * IN_W * QUADS;

fn element(i: u32) {
    let c = i % QUADS;
    let iw = i / QUADS % IN_W;
    let ih = i / (QUADS * IN_W) % IN_H;
    let n = i / (QUADS * IN_W * IN_H);
    // The windows that may cover this pixel: its distance from a window's first pixel is 0 to the window's reach.
    let h = ih + PAD_H;
    let w = iw + PAD_W;
    let reach_h = (KERNEL_H - 1u);
    let reach_w = (KERNEL_W - 1u);
    let first_h = (h - min(h, reach_h) + STRIDE_H - 1u) / STRIDE_H;
    let first_w = (w - min(w, reach_w) + STRIDE_W - 1u) / STRIDE_W;
    let end_h = min(h / STRIDE_H + 1u, OUT_H);
    let end_w = min(w / STRIDE_W + 1u, OUT_W);
    var sum = vec4<f32>();
    for (var oh = first_h; oh < end_h; oh++) {
        for (var ow = first_w; ow < end_w; ow++) {
            sum += vec4<f32>(dy[((n * OUT_H + oh) * OUT_W + ow) * QUADS + c]) / divisor(oh, ow);
        }
    }
    dx[i] = OutVal(sum);
}
