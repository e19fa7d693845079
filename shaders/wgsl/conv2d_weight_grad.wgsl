// Operands of the gradient of a 2-D convolution with respect to its weight, as an implicit matrix product:
// dw[o, kh, kw, i] = sum over (n, oh, ow) of dy[n, oh, ow, o] * x[n, oh * stride + kh * dilation - pad, .., i].
// m = o, n = (kh, kw, i), k = (n, oh, ow). k is long and the result small, so k is cut into PARTS of CHUNK terms:
// z = (group, part), the result is [PARTS, O, KH, KW, I / groups], and sum_parts adds the parts in order.

const PADDED: bool = true;

const GEMM_M: u32 = GROUP_OUT;
const GEMM_N: u32 = KERNEL_H * KERNEL_W * GROUP_IN;
const GEMM_K: u32 = BATCH * OUT_H * OUT_W;
const GEMM_Z: u32 = GROUPS * PARTS;

@group(0) @binding(0) var<storage, read> b: array<BWord>; // x
@group(0) @binding(1) var<storage, read> a: array<AWord>; // dy
@group(0) @binding(2) var<storage, read_write> c: array<CWord>; // the parts of dw

// The tap's distance from the window's first pixel.
struct BColumn { base: i32, h: i32, w: i32 }
// The window's first pixel, which may lie outside of the image.
struct BStep { offset: i32, h: i32, w: i32, valid: bool }

fn a_row(z: u32, m: u32) -> ARow {
    return ARow((z / PARTS * GROUP_OUT + min(m, GROUP_OUT - A_WIDTH)) / A_WIDTH);
}

fn a_step(z: u32, k0: u32, dk: u32) -> AStep {
    let k = k0 + dk;
    return AStep(k * (OUT_C / A_WIDTH), !K_MASKED | (k < GEMM_K));
}

fn b_column(z: u32, n: u32) -> BColumn {
    let k = min(n, GEMM_N - B_WIDTH);
    let tap = k / GROUP_IN;
    let channel = z / PARTS * GROUP_IN + k % GROUP_IN;
    let h = i32(tap / KERNEL_W * DILATION_H);
    let w = i32(tap % KERNEL_W * DILATION_W);
    return BColumn((h * i32(IN_W) + w) * i32(IN_C / B_WIDTH) + i32(channel / B_WIDTH), h, w);
}

fn b_step(z: u32, k0: u32, dk: u32) -> BStep {
    let pixel = k0 + dk;
    let w = i32(pixel % OUT_W * STRIDE_W) - i32(PAD_LEFT);
    let h = i32(pixel / OUT_W % OUT_H * STRIDE_H) - i32(PAD_TOP);
    let n = i32(pixel / (OUT_W * OUT_H));
    let at = (n * i32(IN_H) + h) * i32(IN_W) + w;
    return BStep(at * i32(IN_C / B_WIDTH), h, w, !K_MASKED | (pixel < GEMM_K));
}

// What lies at a word of `b`; an input that is computed as it is read has other code here.
fn b_load(word: u32) -> BVal {
    return BVal(b[word]);
}

fn b_find(column: BColumn, step: BStep) -> Found {
    let inside = (u32(column.h + step.h) < IN_H) & (u32(column.w + step.w) < IN_W);
    let valid = step.valid & (!PADDED | inside);
    return Found(u32(select(0, column.base + step.offset, valid)), valid);
}

fn c_row(z: u32, m: u32) -> CRow {
    let channel = z / PARTS * GROUP_OUT + m;
    return CRow((z % PARTS * OUT_C + channel) * GEMM_N, m < GEMM_M);
}
