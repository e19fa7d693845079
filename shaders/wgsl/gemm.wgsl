// C[z] = A[z] B[z] for every z, in tiles that a workgroup keeps in workgroup memory; accumulation is f32.
//
// The operands (which buffers, how an element is found) stand in one region, the unrolled body in another; both are
// put in at composition, the body by src/gemm/unroll.rs. Here: one dense row-major product with 2x4 outputs a thread.

// region operands
const GEMM_M: u32 = 16u;
const GEMM_N: u32 = 16u;
const GEMM_K: u32 = 16u;
const GEMM_Z: u32 = 1u;

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> c: array<f32>;

alias AVal = f32;
alias BVal = f32;
alias CWord = f32;

// The part of k that workgroups of this z multiply: first, end.
fn k_range(z: u32) -> vec2<u32> {
    return vec2<u32>(0u, GEMM_K);
}

// What an element's address and mask need of m (or n), computed once, and of k, computed at each step.
struct ARow { base: u32 }
struct AStep { offset: u32, valid: bool }
struct BColumn { base: u32 }
struct BStep { offset: u32, valid: bool }
struct CRow { base: u32, valid: bool }

fn a_row(z: u32, m: u32) -> ARow {
    return ARow(min(m, GEMM_M - 1u) * GEMM_K);
}

// k = k0 + dk; k0 is the same for the whole workgroup.
fn a_step(z: u32, k0: u32, dk: u32) -> AStep {
    return AStep(k0 + dk, k0 + dk < GEMM_K);
}

fn a_fetch(row: ARow, step: AStep) -> AVal {
    return select(AVal(), AVal(a[select(0u, row.base + step.offset, step.valid)]), step.valid);
}

fn b_column(z: u32, n: u32) -> BColumn {
    return BColumn(min(n, GEMM_N - 1u));
}

fn b_step(z: u32, k0: u32, dk: u32) -> BStep {
    return BStep((k0 + dk) * GEMM_N, k0 + dk < GEMM_K);
}

fn b_fetch(column: BColumn, step: BStep) -> BVal {
    return select(BVal(), BVal(b[select(0u, column.base + step.offset, step.valid)]), step.valid);
}

fn c_row(z: u32, m: u32) -> CRow {
    return CRow(m * GEMM_N, m < GEMM_M);
}
// end operands

const TILE_M: u32 = 16u;
const TILE_N: u32 = 16u;
const TILE_K: u32 = 8u;
const THREADS: u32 = 32u;
const TILES_M: u32 = (GEMM_M + TILE_M - 1u) / TILE_M;
const TILES_N: u32 = (GEMM_N + TILE_N - 1u) / TILE_N;

// A word is what one invocation loads and stores at once: WGSL lets a store to one component of a vector touch the others. An
// operand whose neighbours are along k has words of four terms of one row; of every four terms first a word of each thread's
// rows, then the next. Otherwise words are of neighbouring rows, and element (k, m) is at k * TILE_M + m.
alias ATile = vec4<f32>;
alias BTile = vec4<f32>;
const A_LANES: u32 = 4u;
const B_LANES: u32 = 4u;
var<workgroup> a_tile: array<ATile, TILE_K * TILE_M / A_LANES>;
var<workgroup> b_tile: array<BTile, TILE_K * TILE_N / B_LANES>;

// Called once for each output element; index is the element's index in the output tensor.
fn epilogue(value: f32, index: u32) -> f32 {
    return value;
}

// Four elements that follow one another.
fn epilogue4(value: vec4<f32>, index: u32) -> vec4<f32> {
    return vec4<f32>(
        epilogue(value.x, index),
        epilogue(value.y, index + 1u),
        epilogue(value.z, index + 2u),
        epilogue(value.w, index + 3u),
    );
}

fn store4(row: CRow, n: u32, value: vec4<f32>) {
    for (var i = 0u; i < 4u; i++) {
        if (row.valid & (n + i < GEMM_N)) {
            c[row.base + n + i] = CWord(epilogue(value[i], row.base + n + i));
        }
    }
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let tile = group.x + group.y * groups.x;
    if (tile >= TILES_M * TILES_N * GEMM_Z) {
        return;
    }
    let n0 = tile % TILES_N * TILE_N;
    let m0 = tile / TILES_N % TILES_M * TILE_M;
    let z = tile / (TILES_N * TILES_M);
    let range = k_range(z);
    // region body
    let m = thread / 4u * 2u;
    let n = thread % 4u * 4u;
    var sum0_0 = vec4<f32>();
    var sum1_0 = vec4<f32>();
    let a_k = thread % 2u * 4u;
    let a_at0 = thread / 2u + 0u;
    let a_row0 = a_row(z, m0 + a_at0);
    let a_to0 = a_k * 4u + a_at0 % 2u * 8u + (a_at0 / 2u ^ a_k / 4u);
    var a_next0 = vec4<f32>();
    let b_at = thread % 4u * 4u;
    let b_row0 = b_column(z, n0 + b_at + 0u);
    let b_row1 = b_column(z, n0 + b_at + 1u);
    let b_row2 = b_column(z, n0 + b_at + 2u);
    let b_row3 = b_column(z, n0 + b_at + 3u);
    let b_k0 = thread / 4u + 0u;
    let b_to0 = b_k0 * 4u + b_at / 4u;
    var b_next0 = vec4<f32>();
    let a_from0 = m / 2u;
    let a_from1 = a_from0 ^ 1u;
    let b_from0 = n / 4u;
    var k = range.x;
    if (k < range.y) {
        {
            let step0 = a_step(z, k, a_k + 0u);
            let step1 = a_step(z, k, a_k + 1u);
            let step2 = a_step(z, k, a_k + 2u);
            let step3 = a_step(z, k, a_k + 3u);
            a_next0 = vec4<f32>(a_fetch(a_row0, step0), a_fetch(a_row0, step1), a_fetch(a_row0, step2), a_fetch(a_row0, step3));
        }
        {
            let step0 = b_step(z, k, b_k0);
            b_next0 = vec4<f32>(b_fetch(b_row0, step0), b_fetch(b_row1, step0), b_fetch(b_row2, step0), b_fetch(b_row3, step0));
        }
    }
    while (k < range.y) {
        a_tile[a_to0 + 0u] = a_next0;
        b_tile[b_to0 + 0u] = b_next0;
        workgroupBarrier();
        k += TILE_K;
        if (k < range.y) {
            {
                let step0 = a_step(z, k, a_k + 0u);
                let step1 = a_step(z, k, a_k + 1u);
                let step2 = a_step(z, k, a_k + 2u);
                let step3 = a_step(z, k, a_k + 3u);
                a_next0 = vec4<f32>(a_fetch(a_row0, step0), a_fetch(a_row0, step1), a_fetch(a_row0, step2), a_fetch(a_row0, step3));
            }
            {
                let step0 = b_step(z, k, b_k0);
                b_next0 = vec4<f32>(b_fetch(b_row0, step0), b_fetch(b_row1, step0), b_fetch(b_row2, step0), b_fetch(b_row3, step0));
            }
        }
        {
            let b0_0 = b_tile[b_from0 + 0u];
            let b0_1 = b_tile[b_from0 + 4u];
            let b0_2 = b_tile[b_from0 + 8u];
            let b0_3 = b_tile[b_from0 + 12u];
            let a0 = a_tile[a_from0 + 0u];
            sum0_0 = fma(vec4<f32>(a0[0]), b0_0, sum0_0);
            sum0_0 = fma(vec4<f32>(a0[1]), b0_1, sum0_0);
            sum0_0 = fma(vec4<f32>(a0[2]), b0_2, sum0_0);
            sum0_0 = fma(vec4<f32>(a0[3]), b0_3, sum0_0);
            let a1 = a_tile[a_from0 + 8u];
            sum1_0 = fma(vec4<f32>(a1[0]), b0_0, sum1_0);
            sum1_0 = fma(vec4<f32>(a1[1]), b0_1, sum1_0);
            sum1_0 = fma(vec4<f32>(a1[2]), b0_2, sum1_0);
            sum1_0 = fma(vec4<f32>(a1[3]), b0_3, sum1_0);
        }
        {
            let b0_0 = b_tile[b_from0 + 16u];
            let b0_1 = b_tile[b_from0 + 20u];
            let b0_2 = b_tile[b_from0 + 24u];
            let b0_3 = b_tile[b_from0 + 28u];
            let a0 = a_tile[a_from1 + 16u];
            sum0_0 = fma(vec4<f32>(a0[0]), b0_0, sum0_0);
            sum0_0 = fma(vec4<f32>(a0[1]), b0_1, sum0_0);
            sum0_0 = fma(vec4<f32>(a0[2]), b0_2, sum0_0);
            sum0_0 = fma(vec4<f32>(a0[3]), b0_3, sum0_0);
            let a1 = a_tile[a_from1 + 24u];
            sum1_0 = fma(vec4<f32>(a1[0]), b0_0, sum1_0);
            sum1_0 = fma(vec4<f32>(a1[1]), b0_1, sum1_0);
            sum1_0 = fma(vec4<f32>(a1[2]), b0_2, sum1_0);
            sum1_0 = fma(vec4<f32>(a1[3]), b0_3, sum1_0);
        }
        workgroupBarrier();
    }
    let row0 = c_row(z, m0 + m + 0u);
    store4(row0, n0 + n + 0u, sum0_0);
    let row1 = c_row(z, m0 + m + 1u);
    store4(row1, n0 + n + 0u, sum1_0);
    // end body
}
