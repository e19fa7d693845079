// Operands of a 2-D convolution as an implicit matrix product, one z a group:
// y[n, oh, ow, o] = sum over (kh, kw, i) of x[n, oh * stride + kh * dilation - pad, .., i] * w[o, kh, kw, i].
// m = (n, oh, ow), n = o, k = (kh, kw, i). Images are [N, H, W, C], weights [O, KH, KW, I / groups].

// Whether any window reaches outside of the image.
const PADDED: bool = true;
// Whether a step of TILE_K stays within one (kh, kw), so that the divisions are the same for a whole workgroup.
const TAP_UNIFORM: bool = false;

const GEMM_M: u32 = BATCH * OUT_H * OUT_W;
const GEMM_N: u32 = GROUP_OUT;
const GEMM_K: u32 = KERNEL_H * KERNEL_W * GROUP_IN;
const GEMM_Z: u32 = GROUPS;

@group(0) @binding(0) var<storage, read> a: array<AWord>; // x
@group(0) @binding(1) var<storage, read> b: array<BWord>; // w
@group(0) @binding(2) var<storage, read_write> c: array<CWord>; // y

fn k_range(z: u32) -> vec2<u32> {
    return vec2<u32>(0u, GEMM_K);
}

fn a_row(z: u32, m: u32) -> ARow {
    let pixel = min(m, GEMM_M - 1u);
    let w = i32(pixel % OUT_W * STRIDE_W) - i32(PAD_LEFT);
    let h = i32(pixel / OUT_W % OUT_H * STRIDE_H) - i32(PAD_TOP);
    let n = i32(pixel / (OUT_W * OUT_H));
    let at = (n * i32(IN_H) + h) * i32(IN_W) + w;
    return ARow(at * i32(IN_C / A_WIDTH) + i32(z * GROUP_IN / A_WIDTH), h, w);
}

fn a_step(z: u32, k0: u32, dk: u32) -> AStep {
    let k = k0 + dk;
    var tap = k / GROUP_IN;
    var channel = k % GROUP_IN;
    if (TAP_UNIFORM) {
        tap = k0 / GROUP_IN;
        channel = k0 % GROUP_IN + dk;
    }
    let h = i32(tap / KERNEL_W * DILATION_H);
    let w = i32(tap % KERNEL_W * DILATION_W);
    let offset = (h * i32(IN_W) + w) * i32(IN_C / A_WIDTH) + i32(channel / A_WIDTH);
    return AStep(offset, h, w, !K_MASKED | (k < GEMM_K));
}

fn a_find(row: ARow, step: AStep) -> Found {
    let inside = (u32(row.h + step.h) < IN_H) & (u32(row.w + step.w) < IN_W);
    let valid = step.valid & (!PADDED | inside);
    return Found(u32(select(0, row.base + step.offset, valid)), valid);
}

fn b_column(z: u32, n: u32) -> BColumn {
    return BColumn((z * GROUP_OUT + min(n, GROUP_OUT - 1u)) * (GEMM_K / B_WIDTH));
}

fn b_step(z: u32, k0: u32, dk: u32) -> BStep {
    let k = k0 + dk;
    return BStep(k / B_WIDTH, !K_MASKED | (k < GEMM_K));
}

fn c_row(z: u32, m: u32) -> CRow {
    return CRow(m * OUT_C + z * GROUP_OUT, m < GEMM_M);
}
