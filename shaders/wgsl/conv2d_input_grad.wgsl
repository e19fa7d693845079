// Operands of the gradient of a 2-D convolution with respect to its input, as an implicit matrix product:
// dx[n, ih, iw, i] = sum over (kh, kw, o) of dy[n, oh, ow, o] * w[o, kh, kw, i] where oh * stride + kh * dilation - pad = ih.
// With a stride only every so-many-th kh reaches a given ih. So the pixels are taken in phases (ih mod stride, iw mod
// stride), each a product of its own over just the taps that reach it: z = (group, phase), m = (n, ih / stride,
// iw / stride), n = i, k = (the phase's taps, o).

const PHASES: u32 = STRIDE_H * STRIDE_W;
const PHASE_H: u32 = (IN_H + STRIDE_H - 1u) / STRIDE_H;
const PHASE_W: u32 = (IN_W + STRIDE_W - 1u) / STRIDE_W;
const MAX_COUNT_W: u32 = 3u;
const TAP_STEP_H: u32 = 1u;
const TAP_STEP_W: u32 = 1u;
const OUT_STEP_H: u32 = 1u;
const OUT_STEP_W: u32 = 1u;
const TAP_UNIFORM: bool = false;

const GEMM_M: u32 = BATCH * PHASE_H * PHASE_W;
const GEMM_N: u32 = GROUP_IN;
const GEMM_Z: u32 = GROUPS * PHASES;

@group(0) @binding(0) var<storage, read> a: array<AWord>; // dy
@group(0) @binding(1) var<storage, read> b: array<BWord>; // w
@group(0) @binding(2) var<storage, read_write> c: array<CWord>; // dx

fn phase_h(z: u32) -> u32 {
    return z % PHASES / STRIDE_W;
}

fn phase_w(z: u32) -> u32 {
    return z % STRIDE_W;
}

// For each phase, the first tap that reaches it and how many do; they lie TAP_STEP apart, and one tap further is
// OUT_STEP output pixels less. Counts differ by at most one, except where they are 0. Functions that select, because
// compilers put a constant array that is indexed into memory.
fn first_h(phase: u32) -> u32 {
    return 0u;
}

fn count_h(phase: u32) -> u32 {
    return 3u;
}

fn first_w(phase: u32) -> u32 {
    return 0u;
}

fn count_w(phase: u32) -> u32 {
    return 3u;
}

fn k_range(z: u32) -> vec2<u32> {
    return vec2<u32>(0u, count_h(phase_h(z)) * count_w(phase_w(z)) * GROUP_OUT);
}

// Where the k-th term lies: the how-manieth tap of the phase, and the output channel within the group.
struct Term { tap_h: u32, tap_w: u32, channel: u32 }

fn term(z: u32, k0: u32, dk: u32) -> Term {
    var tap = (k0 + dk) / GROUP_OUT;
    var channel = (k0 + dk) % GROUP_OUT;
    if (TAP_UNIFORM) {
        tap = k0 / GROUP_OUT;
        channel = k0 % GROUP_OUT + dk;
    }
    // Both divisors are constants; the count itself is not.
    let full = count_w(phase_w(z)) == MAX_COUNT_W;
    let fewer = max(MAX_COUNT_W, 2u) - 1u;
    let tap_h = select(tap / fewer, tap / MAX_COUNT_W, full);
    let tap_w = select(tap % fewer, tap % MAX_COUNT_W, full);
    return Term(tap_h, tap_w, channel);
}

// The output pixel that the phase's first tap joins to this input pixel; it may lie outside.
fn a_row(z: u32, m: u32) -> ARow {
    let pixel = min(m, GEMM_M - 1u);
    let ph = phase_h(z);
    let pw = phase_w(z);
    let iw = pixel % PHASE_W * STRIDE_W + pw;
    let ih = pixel / PHASE_W % PHASE_H * STRIDE_H + ph;
    let n = i32(pixel / (PHASE_W * PHASE_H));
    let w = (i32(iw + PAD_LEFT) - i32(first_w(pw) * DILATION_W)) / i32(STRIDE_W);
    let h = (i32(ih + PAD_TOP) - i32(first_h(ph) * DILATION_H)) / i32(STRIDE_H);
    let at = (n * i32(OUT_H) + h) * i32(OUT_W) + w;
    return ARow(at * i32(OUT_C / A_WIDTH) + i32(z / PHASES * GROUP_OUT / A_WIDTH), h, w);
}

fn a_step(z: u32, k0: u32, dk: u32) -> AStep {
    let t = term(z, k0, dk);
    let h = -i32(t.tap_h * OUT_STEP_H);
    let w = -i32(t.tap_w * OUT_STEP_W);
    let offset = (h * i32(OUT_W) + w) * i32(OUT_C / A_WIDTH) + i32(t.channel / A_WIDTH);
    return AStep(offset, h, w, !K_MASKED | (k0 + dk < k_range(z).y));
}

fn a_find(row: ARow, step: AStep) -> Found {
    let inside = (u32(row.h + step.h) < OUT_H) & (u32(row.w + step.w) < OUT_W);
    let valid = step.valid & inside;
    return Found(u32(select(0, row.base + step.offset, valid)), valid);
}

fn b_column(z: u32, n: u32) -> BColumn {
    let group = z / PHASES * GROUP_OUT * (KERNEL_H * KERNEL_W * GROUP_IN);
    return BColumn((group + min(n, GROUP_IN - B_WIDTH)) / B_WIDTH);
}

fn b_step(z: u32, k0: u32, dk: u32) -> BStep {
    let t = term(z, k0, dk);
    let kh = first_h(phase_h(z)) + t.tap_h * TAP_STEP_H;
    let kw = first_w(phase_w(z)) + t.tap_w * TAP_STEP_W;
    let offset = ((t.channel * KERNEL_H + kh) * KERNEL_W + kw) * (GROUP_IN / B_WIDTH);
    return BStep(offset, !K_MASKED | (k0 + dk < k_range(z).y));
}

fn c_row(z: u32, m: u32) -> CRow {
    let iw = m % PHASE_W * STRIDE_W + phase_w(z);
    let ih = m / PHASE_W % PHASE_H * STRIDE_H + phase_h(z);
    let n = m / (PHASE_W * PHASE_H);
    let base = ((n * IN_H + ih) * IN_W + iw) * IN_C + z / PHASES * GROUP_IN;
    return CRow(base, (m < GEMM_M) & (ih < IN_H) & (iw < IN_W));
}
