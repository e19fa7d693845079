// The gradient of a depthwise convolution with respect to its input, gathered for each input element.

alias GradElem = f32;
alias WElem = f32;
alias OutElem = f32;

@group(0) @binding(0) var<storage, read> dy: array<GradElem>; // [N, OH, OW, O]
@group(0) @binding(1) var<storage, read> w: array<WElem>; // [O, KH, KW, 1]
@group(0) @binding(2) var<storage, read_write> dx: array<OutElem>; // [N, H, W, C]

// Called once for each element of the result; index is its place there.
fn put(value: f32, index: u32) {
    dx[index] = OutElem(value);
}

const ELEMENTS: u32 = BATCH * IN_H * IN_W * IN_C;

fn element(i: u32) {
    let c = i % IN_C;
    let iw = i / IN_C % IN_W;
    let ih = i / (IN_C * IN_W) % IN_H;
    let n = i / (IN_C * IN_W * IN_H);
    var sum = 0.0;
    for (var kh = 0u; kh < KERNEL_H; kh++) {
        // Rows above the output wrap around to large numbers.
        let h = ih + PAD_TOP - kh * DILATION_H;
        for (var kw = 0u; kw < KERNEL_W; kw++) {
            let v = iw + PAD_LEFT - kw * DILATION_W;
            let whole = (h % STRIDE_H == 0u) & (v % STRIDE_W == 0u);
            let inside = whole & (h / STRIDE_H < OUT_H) & (v / STRIDE_W < OUT_W);
            if (inside) {
                let at = ((n * OUT_H + h / STRIDE_H) * OUT_W + v / STRIDE_W) * OUT_C;
                for (var o = c * MULTIPLIER; o < (c + 1u) * MULTIPLIER; o++) {
                    let weight = f32(w[(o * KERNEL_H + kh) * KERNEL_W + kw]);
                    sum = fma(f32(dy[at + o]), weight, sum);
                }
            }
        }
    }
    put(sum, i);
}
