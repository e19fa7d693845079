// The gradient of max_pool2d: the whole gradient of a window goes to its first largest element in row-major order.
// Each invocation gathers for one input element, so windows may overlap and nothing is added atomically.

alias GradElem = f32;
alias OutElem = f32;

@group(0) @binding(0) var<storage, read> x: array<Elem>; // [N, H, W, C]
@group(0) @binding(1) var<storage, read> y: array<Elem>; // [N, OH, OW, C]
@group(0) @binding(2) var<storage, read> dy: array<GradElem>; // [N, OH, OW, C]
@group(0) @binding(3) var<storage, read_write> dx: array<OutElem>; // [N, H, W, C]

fn same(a: f32, b: f32) -> bool {
    return (a == b) | (is_nan(a) & is_nan(b));
}

// Whether a tap before (kh, kw) of the window that begins at (h, w), counted in the padded image, is as large.
fn earlier(n: u32, h: u32, w: u32, c: u32, taps: u32, largest: f32) -> bool {
    for (var tap = 0u; tap < taps; tap++) {
        let ih = h + tap / KERNEL_W * DILATION_H - PAD_H;
        let iw = w + tap % KERNEL_W * DILATION_W - PAD_W;
        if ((ih < IN_H) & (iw < IN_W)) {
            if (same(f32(x[((n * IN_H + ih) * IN_W + iw) * CHANNELS + c]), largest)) {
                return true;
            }
        }
    }
    return false;
}

const ELEMENTS: u32 = BATCH * IN_H * IN_W * CHANNELS;

fn element(i: u32) {
    let c = i % CHANNELS;
    let iw = i / CHANNELS % IN_W;
    let ih = i / (CHANNELS * IN_W) % IN_H;
    let n = i / (CHANNELS * IN_W * IN_H);
    let own = f32(x[i]);
    // The windows that may cover this pixel: its distance from a window's first pixel is 0 to the window's reach.
    let h = ih + PAD_H;
    let w = iw + PAD_W;
    let reach_h = (KERNEL_H - 1u) * DILATION_H;
    let reach_w = (KERNEL_W - 1u) * DILATION_W;
    let first_h = (h - min(h, reach_h) + STRIDE_H - 1u) / STRIDE_H;
    let first_w = (w - min(w, reach_w) + STRIDE_W - 1u) / STRIDE_W;
    let end_h = min(h / STRIDE_H + 1u, OUT_H);
    let end_w = min(w / STRIDE_W + 1u, OUT_W);
    var sum = 0.0;
    for (var oh = first_h; oh < end_h; oh++) {
        for (var ow = first_w; ow < end_w; ow++) {
            let from_h = h - oh * STRIDE_H;
            let from_w = w - ow * STRIDE_W;
            let o = ((n * OUT_H + oh) * OUT_W + ow) * CHANNELS + c;
            let hit = (from_h % DILATION_H == 0u) & (from_w % DILATION_W == 0u);
            if (hit & same(f32(y[o]), own)) {
                let taps = from_h / DILATION_H * KERNEL_W + from_w / DILATION_W;
                if (!earlier(n, oh * STRIDE_H, ow * STRIDE_W, c, taps, own)) {
                    sum += f32(dy[o]);
                }
            }
        }
    }
    dx[i] = OutElem(sum);
}
