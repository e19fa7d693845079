// Operands of a batched matrix product: any strides, two batch dimensions, broadcast where a batch stride is 0.
// One of each operand's two strides is 1; loads of four (A_WIDTH, B_WIDTH) go along it. All strides count elements.
// k may be cut into PARTS of CHUNK terms: z = (matrix, part), the result is [PARTS, matrices, M, N], and sum_parts adds the parts.

const GEMM_M: u32 = 16u;
const GEMM_N: u32 = 16u;
const GEMM_K: u32 = 16u;
const BATCH_0: u32 = 1u;
const BATCH_1: u32 = 1u;
const GEMM_Z: u32 = BATCH_0 * BATCH_1 * PARTS;

const A_BATCH_0: u32 = 0u;
const A_BATCH_1: u32 = 0u;
const A_M: u32 = 16u;
const A_K: u32 = 1u;
const A_LAST: u32 = 15u;
const B_BATCH_0: u32 = 0u;
const B_BATCH_1: u32 = 0u;
const B_K: u32 = 16u;
const B_N: u32 = 1u;
const B_LAST: u32 = 15u;

@group(0) @binding(0) var<storage, read> a: array<AWord>;
@group(0) @binding(1) var<storage, read> b: array<BWord>;
@group(0) @binding(2) var<storage, read_write> c: array<CWord>;

// Rows past the last are clamped: their products are never stored.
fn a_row(z: u32, m: u32) -> ARow {
    let matrix = z / PARTS;
    let batch = matrix / BATCH_1 * A_BATCH_0 + matrix % BATCH_1 * A_BATCH_1;
    return ARow((batch + min(m, A_LAST) * A_M) / A_WIDTH);
}

fn a_step(z: u32, k0: u32, dk: u32) -> AStep {
    let k = k0 + dk;
    return AStep(k * A_K / A_WIDTH, !K_MASKED | (k < GEMM_K));
}

fn b_column(z: u32, n: u32) -> BColumn {
    let matrix = z / PARTS;
    let batch = matrix / BATCH_1 * B_BATCH_0 + matrix % BATCH_1 * B_BATCH_1;
    return BColumn((batch + min(n, B_LAST) * B_N) / B_WIDTH);
}

fn b_step(z: u32, k0: u32, dk: u32) -> BStep {
    let k = k0 + dk;
    return BStep(k * B_K / B_WIDTH, !K_MASKED | (k < GEMM_K));
}

fn c_row(z: u32, m: u32) -> CRow {
    let matrix = z % PARTS * (BATCH_0 * BATCH_1) + z / PARTS;
    return CRow((matrix * GEMM_M + m) * GEMM_N, m < GEMM_M);
}
