// Depthwise 2-D convolution: channel o of y sees channel o / MULTIPLIER of x alone.

alias XElem = f32;
alias WElem = f32;
alias OutElem = f32;

@group(0) @binding(0) var<storage, read> x: array<XElem>; // [N, H, W, C]
@group(0) @binding(1) var<storage, read> w: array<WElem>; // [O, KH, KW, 1]
@group(0) @binding(2) var<storage, read_write> y: array<OutElem>; // [N, OH, OW, O]

// Called once for each element of the result; index is its place there.
fn put(value: f32, index: u32) {
    y[index] = OutElem(value);
}

const ELEMENTS: u32 = BATCH * OUT_H * OUT_W * OUT_C;

fn element(i: u32) {
    let o = i % OUT_C;
    let ow = i / OUT_C % OUT_W;
    let oh = i / (OUT_C * OUT_W) % OUT_H;
    let n = i / (OUT_C * OUT_W * OUT_H);
    var sum = 0.0;
    for (var kh = 0u; kh < KERNEL_H; kh++) {
        // Rows above the image wrap around to large numbers.
        let h = oh * STRIDE_H + kh * DILATION_H - PAD_TOP;
        for (var kw = 0u; kw < KERNEL_W; kw++) {
            let v = ow * STRIDE_W + kw * DILATION_W - PAD_LEFT;
            let inside = (h < IN_H) & (v < IN_W);
            let at = select(0u, ((n * IN_H + h) * IN_W + v) * IN_C + o / MULTIPLIER, inside);
            let weight = f32(w[(o * KERNEL_H + kh) * KERNEL_W + kw]);
            sum = fma(select(0.0, f32(x[at]), inside), weight, sum);
        }
    }
    put(sum, i);
}
