// avg_pool2d of fours of channels.

alias OutVal = vec4<f32>;

@group(0) @binding(0) var<storage, read> x: array<Val>; // [N, H, W, C / 4]
@group(0) @binding(1) var<storage, read_write> y: array<OutVal>; // [N, OH, OW, C / 4]

const ELEMENTS: u32 = BATCH * OUT_H * OUT_W * QUADS;

fn element(i: u32) {
    let c = i % QUADS;
    let ow = i / QUADS % OUT_W;
    let oh = i / (QUADS * OUT_W) % OUT_H;
    let n = i / (QUADS * OUT_W * OUT_H);
    var sum = vec4<f32>();
    for (var kh = 0u; kh < KERNEL_H; kh++) {
        // Rows above the image wrap around to large numbers.
        let h = oh * STRIDE_H + kh - PAD_H;
        for (var kw = 0u; kw < KERNEL_W; kw++) {
            let w = ow * STRIDE_W + kw - PAD_W;
            let inside = (h < IN_H) & (w < IN_W);
            let v = vec4<f32>(x[select(0u, ((n * IN_H + h) * IN_W + w) * QUADS + c, inside)]);
            sum += select(vec4<f32>(), v, inside);
        }
    }
    y[i] = OutVal(sum / divisor(oh, ow));
}
