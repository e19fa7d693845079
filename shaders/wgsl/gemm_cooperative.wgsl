enable f16;
enable wgpu_cooperative_matrix;

// C[z] = A[z] B[z] for every z with cooperative matrices: f16 operands in workgroup memory, f32 sums in registers.
// Vulkan and Metal only.
//
// The operands (which buffers, how an element is found) stand in one region, the unrolled body in another; both are
// put in at composition, the body by src/gemm/unroll.rs. Here: one dense row-major product of 16x16 matrices.

// region operands
const GEMM_M: u32 = 16u;
const GEMM_N: u32 = 16u;
const GEMM_K: u32 = 16u;
const GEMM_Z: u32 = 1u;

@group(0) @binding(0) var<storage, read> a: array<f16>;
@group(0) @binding(1) var<storage, read> b: array<f16>;
@group(0) @binding(2) var<storage, read_write> c: array<f32>;

alias AVal = f16;
alias BVal = f16;
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

const TILE_M: u32 = 32u;
const TILE_N: u32 = 32u;
const TILE_K: u32 = 16u;
// Parts of the tile; a subgroup computes one at a time, and as many as there are subgroups at once.
const TILE_PARTS: u32 = 4u;
const THREADS: u32 = 128u;
const MATRIX_SIZE: u32 = 16u;
const TILES_M: u32 = (GEMM_M + TILE_M - 1u) / TILE_M;
const TILES_N: u32 = (GEMM_N + TILE_N - 1u) / TILE_N;

alias MatrixA = coop_mat16x16<f16, A>;
alias MatrixB = coop_mat16x16<f16, B>;
alias MatrixC = coop_mat16x16<f32, C>;

// Rows are eight elements longer than what they hold.
alias ATile = vec4<f16>;
alias BTile = vec4<f16>;
const A_LANES: u32 = 4u;
const B_LANES: u32 = 4u;
var<workgroup> a_tile: array<ATile, max(TILE_M * (TILE_K + 8u), TILE_K * (TILE_M + 8u)) / A_LANES>;
var<workgroup> b_tile: array<BTile, max(TILE_N * (TILE_K + 8u), TILE_K * (TILE_N + 8u)) / B_LANES>;
// Some matrices of sums of each part, on their way to the epilogue.
alias CTile = vec4<f32>;
const C_LANES: u32 = 4u;
const C_MATRICES: u32 = 1u;
var<workgroup> c_tile: array<CTile, TILE_PARTS * C_MATRICES * MATRIX_SIZE * MATRIX_SIZE / C_LANES>;

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
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
    @builtin(subgroup_invocation_id) lane: u32,
    @builtin(subgroup_size) lanes: u32,
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
    let a_k = thread % 4u * 4u;
    let a_at0 = thread / 4u + 0u;
    let a_row0 = a_row(z, m0 + a_at0);
    let a_to0 = a_at0 * 6u + a_k / 4u;
    var a_next0 = vec4<f16>();
    let b_at = thread % 8u * 4u;
    let b_row0 = b_column(z, n0 + b_at + 0u);
    let b_row1 = b_column(z, n0 + b_at + 1u);
    let b_row2 = b_column(z, n0 + b_at + 2u);
    let b_row3 = b_column(z, n0 + b_at + 3u);
    let b_k0 = thread / 8u + 0u;
    let b_to0 = b_k0 * 10u + b_at / 4u;
    var b_next0 = vec4<f16>();
    for (var turn = 0u; turn < TILE_PARTS; turn += subgroups) {
        let part = min(turn + subgroup, TILE_PARTS - 1u);
        let m = part / 2u * 16u;
        let n = part % 2u * 16u;
        var sum0_0 = MatrixC();
        var k = range.x;
        if (k < range.y) {
            {
                let step0 = a_step(z, k, a_k + 0u);
                let step1 = a_step(z, k, a_k + 1u);
                let step2 = a_step(z, k, a_k + 2u);
                let step3 = a_step(z, k, a_k + 3u);
                a_next0 = vec4<f16>(a_fetch(a_row0, step0), a_fetch(a_row0, step1), a_fetch(a_row0, step2), a_fetch(a_row0, step3));
            }
            {
                let step0 = b_step(z, k, b_k0);
                b_next0 = vec4<f16>(b_fetch(b_row0, step0), b_fetch(b_row1, step0), b_fetch(b_row2, step0), b_fetch(b_row3, step0));
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
                    a_next0 = vec4<f16>(a_fetch(a_row0, step0), a_fetch(a_row0, step1), a_fetch(a_row0, step2), a_fetch(a_row0, step3));
                }
                {
                    let step0 = b_step(z, k, b_k0);
                    b_next0 = vec4<f16>(b_fetch(b_row0, step0), b_fetch(b_row1, step0), b_fetch(b_row2, step0), b_fetch(b_row3, step0));
                }
            }
            {
                let a_from0 = (m + 0u) * 6u + 0u;
                let a0 = coopLoadT<MatrixA>(&a_tile[a_from0], 6u);
                let b_from0 = 0u + (n + 0u) / 4u;
                let b0 = coopLoadT<MatrixB>(&b_tile[b_from0], 10u);
                sum0_0 = coopMultiplyAdd(a0, b0, sum0_0);
            }
            workgroupBarrier();
        }
        let slot = min(subgroup, TILE_PARTS - 1u) * (C_MATRICES * MATRIX_SIZE * MATRIX_SIZE / C_LANES);
        if (turn + subgroup < TILE_PARTS) {
            let slot0 = slot + 0u;
            coopStoreT(sum0_0, &c_tile[slot0], 4u);
        }
        workgroupBarrier();
        if (turn + subgroup < TILE_PARTS) {
            for (var e = lane; e < 64u; e += lanes) {
                let crow = c_row(z, m0 + m + 0u + e / 4u);
                let column = n0 + n + e % 4u * 4u;
                store4(crow, column + 0u, c_tile[slot + 0u + e]);
            }
        }
        workgroupBarrier();
    }
    // end body
}
