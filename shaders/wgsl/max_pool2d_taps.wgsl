// Which tap of each window is its first largest, a byte for each of four channels; 255 where the window lies wholly in the padding.

@group(0) @binding(0) var<storage, read> x: array<Val>; // [N, H, W, C / 4]
@group(0) @binding(1) var<storage, read_write> taps: array<u32>; // [N, OH, OW, C / 4]

const ELEMENTS: u32 = BATCH * OUT_H * OUT_W * QUADS;

fn element(i: u32) {
    let c = i % QUADS;
    let ow = i / QUADS % OUT_W;
    let oh = i / (QUADS * OUT_W) % OUT_H;
    let n = i / (QUADS * OUT_W * OUT_H);
    var best = vec4<f32>();
    var at = vec4<u32>(255u);
    for (var kh = 0u; kh < KERNEL_H; kh++) {
        // Rows above the image wrap around to large numbers.
        let h = oh * STRIDE_H + kh * DILATION_H - PAD_H;
        for (var kw = 0u; kw < KERNEL_W; kw++) {
            let w = ow * STRIDE_W + kw * DILATION_W - PAD_W;
            let inside = (h < IN_H) & (w < IN_W);
            let v = vec4<f32>(x[select(0u, ((n * IN_H + h) * IN_W + w) * QUADS + c, inside)]);
            let wins = ((at == vec4<u32>(255u)) | better(v, best)) & vec4<bool>(inside);
            best = select(best, v, wins);
            at = select(at, vec4<u32>(kh * KERNEL_W + kw), wins);
        }
    }
    taps[i] = at.x | (at.y << 8u) | (at.z << 16u) | (at.w << 24u);
}
