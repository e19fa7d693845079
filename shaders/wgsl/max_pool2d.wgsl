// The largest element of each window, per channel; minus infinity where the window lies wholly in the padding. Of several NaNs
// or equal elements the first in row-major order counts.

alias OutElem = f32;

@group(0) @binding(0) var<storage, read> x: array<Elem>; // [N, H, W, C]
@group(0) @binding(1) var<storage, read_write> y: array<OutElem>; // [N, OH, OW, C]

const ELEMENTS: u32 = BATCH * OUT_H * OUT_W * CHANNELS;

fn element(i: u32) {
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
