// Where the largest element of each window lies in the H x W plane, per channel; see max_pool2d for ties.

@group(0) @binding(0) var<storage, read> x: array<Elem>; // [N, H, W, C]
@group(0) @binding(1) var<storage, read_write> y: array<i32>; // [N, OH, OW, C]

const ELEMENTS: u32 = BATCH * OUT_H * OUT_W * CHANNELS;

fn element(i: u32) {
    let c = i % CHANNELS;
    let ow = i / CHANNELS % OUT_W;
    let oh = i / (CHANNELS * OUT_W) % OUT_H;
    let n = i / (CHANNELS * OUT_W * OUT_H);
    var best = -3.4028234e38;
    var at = 0u;
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
                    at = h * IN_W + w;
                    found = true;
                }
            }
        }
    }
    y[i] = i32(at);
}
