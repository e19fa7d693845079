// C[z] = A[z] B[z] for every z, in tiles; accumulation is f32.
//
// Where an element of the operands lies is said by matmul.wgsl and the convolutions: a_row and b_column find what an address needs
// of m (or n), once; a_step and b_step what it needs of k = k0 + dk, where k0 is the same for the whole workgroup; k_range is the part
// of k that workgroups of this z multiply. What a tile does with them is unrolled by src/gemm/unroll.rs and follows in main.

const TILE_M: u32 = 16u;
const TILE_N: u32 = 16u;
const THREADS: u32 = 32u;
const TILES_M: u32 = (GEMM_M + TILE_M - 1u) / TILE_M;
const TILES_N: u32 = (GEMM_N + TILE_N - 1u) / TILE_N;

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
}
