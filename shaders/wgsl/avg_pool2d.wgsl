// The mean of each window, per channel.

alias Elem = f32;
alias OutElem = f32;

@group(0) @binding(0) var<storage, read> x: array<Elem>; // [N, H, W, C]
@group(0) @binding(1) var<storage, read_write> y: array<OutElem>; // [N, OH, OW, C]

const ELEMENTS: u32 = BATCH * OUT_H * OUT_W * CHANNELS;

fn element(i: u32) {
    let c = i % CHANNELS;
    let ow = i / CHANNELS % OUT_W;
    let oh = i / (CHANNELS * OUT_W) % OUT_H;
    let n = i / (CHANNELS * OUT_W * OUT_H);
    var sum = 0.0;
    for (var kh = 0u; kh < KERNEL_H; kh++) {
        // Rows above the image wrap around to large numbers.
        let h = oh * STRIDE_H + kh - PAD_H;
        for (var kw = 0u; kw < KERNEL_W; kw++) {
            let w = ow * STRIDE_W + kw - PAD_W;
            if ((h < IN_H) & (w < IN_W)) {
                sum += f32(x[((n * IN_H + h) * IN_W + w) * CHANNELS + c]);
            }
        }
    }
    y[i] = OutElem(sum / divisor(oh, ow));
}
