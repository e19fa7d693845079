// The gradient of a depthwise convolution with respect to its weight, in PARTS parts of the output pixels that
// sum_parts adds in order. Neighbouring invocations take neighbouring channels.

alias XElem = f32;
alias GradElem = f32;
const PARTS: u32 = 1u;
// Output pixels of a part.
const CHUNK: u32 = 16u;
const TAPS: u32 = KERNEL_H * KERNEL_W;
const PIXELS: u32 = BATCH * OUT_H * OUT_W;

@group(0) @binding(0) var<storage, read> x: array<XElem>; // [N, H, W, C]
@group(0) @binding(1) var<storage, read> dy: array<GradElem>; // [N, OH, OW, O]
@group(0) @binding(2) var<storage, read_write> parts: array<f32>; // [PARTS, O, KH, KW, 1]

const ELEMENTS: u32 = PARTS * TAPS * OUT_C;

fn element(i: u32) {
    let o = i % OUT_C;
    let tap = i / OUT_C % TAPS;
    let part = i / (OUT_C * TAPS);
    var sum = 0.0;
    for (var pixel = part * CHUNK; pixel < min((part + 1u) * CHUNK, PIXELS); pixel++) {
        let n = pixel / (OUT_W * OUT_H);
        // Rows above the image wrap around to large numbers.
        let h = pixel / OUT_W % OUT_H * STRIDE_H + tap / KERNEL_W * DILATION_H - PAD_TOP;
        let v = pixel % OUT_W * STRIDE_W + tap % KERNEL_W * DILATION_W - PAD_LEFT;
        let inside = (h < IN_H) & (v < IN_W);
        let at = select(0u, ((n * IN_H + h) * IN_W + v) * IN_C + o / MULTIPLIER, inside);
        sum = fma(select(0.0, f32(x[at]), inside), f32(dy[pixel * OUT_C + o]), sum);
    }
    parts[(part * OUT_C + o) * TAPS + tap] = sum;
}
