// C[z] = A[z] B[z] for every z, without workgroup memory: each thread loads what it multiplies. The fastest form on
// software devices, where workgroup memory is ordinary memory and a barrier splits the kernel in two.
//
// The operands (which buffers, how an element is found) stand in one region, the unrolled body in another; both are
// put in at composition, the body by src/gemm/unroll.rs. Here: one dense row-major product with 4x4 outputs a thread.

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
const THREADS: u32 = 16u;
const TILES_M: u32 = (GEMM_M + TILE_M - 1u) / TILE_M;
const TILES_N: u32 = (GEMM_N + TILE_N - 1u) / TILE_N;

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
    // As many as compilers do not know, or they would write the epilogue out four times.
    let columns = min(4u, GEMM_N - min(GEMM_N, n));
    for (var i = 0u; i < select(0u, columns, row.valid); i++) {
        c[row.base + n + i] = CWord(epilogue(value[i], row.base + n + i));
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
    let m = thread / 4u * 4u;
    let n = thread % 4u * 4u;
    var sum0_0 = vec4<f32>();
    var sum1_0 = vec4<f32>();
    var sum2_0 = vec4<f32>();
    var sum3_0 = vec4<f32>();
    let a_row0 = a_row(z, m0 + m + 0u);
    let a_row1 = a_row(z, m0 + m + 1u);
    let a_row2 = a_row(z, m0 + m + 2u);
    let a_row3 = a_row(z, m0 + m + 3u);
    let b_row0 = b_column(z, n0 + n + 0u);
    let b_row1 = b_column(z, n0 + n + 1u);
    let b_row2 = b_column(z, n0 + n + 2u);
    let b_row3 = b_column(z, n0 + n + 3u);
    let end = range.y * groups.z;
    for (var k = range.x; k < end; k += 4u) {
        {
            let a_step0 = a_step(z, k, 0u);
            let a_step1 = a_step(z, k, 1u);
            let a_step2 = a_step(z, k, 2u);
            let a_step3 = a_step(z, k, 3u);
            let a0_0 = a_fetch(a_row0, a_step0);
            let a0_1 = a_fetch(a_row0, a_step1);
            let a0_2 = a_fetch(a_row0, a_step2);
            let a0_3 = a_fetch(a_row0, a_step3);
            let a1_0 = a_fetch(a_row1, a_step0);
            let a1_1 = a_fetch(a_row1, a_step1);
            let a1_2 = a_fetch(a_row1, a_step2);
            let a1_3 = a_fetch(a_row1, a_step3);
            let a2_0 = a_fetch(a_row2, a_step0);
            let a2_1 = a_fetch(a_row2, a_step1);
            let a2_2 = a_fetch(a_row2, a_step2);
            let a2_3 = a_fetch(a_row2, a_step3);
            let a3_0 = a_fetch(a_row3, a_step0);
            let a3_1 = a_fetch(a_row3, a_step1);
            let a3_2 = a_fetch(a_row3, a_step2);
            let a3_3 = a_fetch(a_row3, a_step3);
            let b_step0 = b_step(z, k, 0u);
            let b_step1 = b_step(z, k, 1u);
            let b_step2 = b_step(z, k, 2u);
            let b_step3 = b_step(z, k, 3u);
            let b0_0 = b_fetch(b_row0, b_step0);
            let b0_1 = b_fetch(b_row0, b_step1);
            let b0_2 = b_fetch(b_row0, b_step2);
            let b0_3 = b_fetch(b_row0, b_step3);
            let b1_0 = b_fetch(b_row1, b_step0);
            let b1_1 = b_fetch(b_row1, b_step1);
            let b1_2 = b_fetch(b_row1, b_step2);
            let b1_3 = b_fetch(b_row1, b_step3);
            let b2_0 = b_fetch(b_row2, b_step0);
            let b2_1 = b_fetch(b_row2, b_step1);
            let b2_2 = b_fetch(b_row2, b_step2);
            let b2_3 = b_fetch(b_row2, b_step3);
            let b3_0 = b_fetch(b_row3, b_step0);
            let b3_1 = b_fetch(b_row3, b_step1);
            let b3_2 = b_fetch(b_row3, b_step2);
            let b3_3 = b_fetch(b_row3, b_step3);
            sum0_0 = fma(vec4<f32>(a0_0), vec4<f32>(b0_0, b1_0, b2_0, b3_0), sum0_0);
            sum1_0 = fma(vec4<f32>(a1_0), vec4<f32>(b0_0, b1_0, b2_0, b3_0), sum1_0);
            sum2_0 = fma(vec4<f32>(a2_0), vec4<f32>(b0_0, b1_0, b2_0, b3_0), sum2_0);
            sum3_0 = fma(vec4<f32>(a3_0), vec4<f32>(b0_0, b1_0, b2_0, b3_0), sum3_0);
            sum0_0 = fma(vec4<f32>(a0_1), vec4<f32>(b0_1, b1_1, b2_1, b3_1), sum0_0);
            sum1_0 = fma(vec4<f32>(a1_1), vec4<f32>(b0_1, b1_1, b2_1, b3_1), sum1_0);
            sum2_0 = fma(vec4<f32>(a2_1), vec4<f32>(b0_1, b1_1, b2_1, b3_1), sum2_0);
            sum3_0 = fma(vec4<f32>(a3_1), vec4<f32>(b0_1, b1_1, b2_1, b3_1), sum3_0);
            sum0_0 = fma(vec4<f32>(a0_2), vec4<f32>(b0_2, b1_2, b2_2, b3_2), sum0_0);
            sum1_0 = fma(vec4<f32>(a1_2), vec4<f32>(b0_2, b1_2, b2_2, b3_2), sum1_0);
            sum2_0 = fma(vec4<f32>(a2_2), vec4<f32>(b0_2, b1_2, b2_2, b3_2), sum2_0);
            sum3_0 = fma(vec4<f32>(a3_2), vec4<f32>(b0_2, b1_2, b2_2, b3_2), sum3_0);
            sum0_0 = fma(vec4<f32>(a0_3), vec4<f32>(b0_3, b1_3, b2_3, b3_3), sum0_0);
            sum1_0 = fma(vec4<f32>(a1_3), vec4<f32>(b0_3, b1_3, b2_3, b3_3), sum1_0);
            sum2_0 = fma(vec4<f32>(a2_3), vec4<f32>(b0_3, b1_3, b2_3, b3_3), sum2_0);
            sum3_0 = fma(vec4<f32>(a3_3), vec4<f32>(b0_3, b1_3, b2_3, b3_3), sum3_0);
        }
    }
    var sums = array<vec4<f32>, 4>(sum0_0, sum1_0, sum2_0, sum3_0);
    let rows = min(4u, GEMM_M - min(GEMM_M, m0 + m));
    for (var i = 0u; i < rows; i++) {
        let row = c_row(z, m0 + m + i);
        store4(row, n0 + n + 0u, sums[i * 1u + 0u]);
    }
    // end body
}
