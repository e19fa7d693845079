// Terms of a product cut into PARTS of CHUNK terms, a multiple of TILE_K; sum_parts adds what they give.

const PARTS: u32 = 1u;
const CHUNK: u32 = 16u;

fn k_range(z: u32) -> vec2<u32> {
    let first = z % PARTS * CHUNK;
    return vec2<u32>(first, min(first + CHUNK, GEMM_K));
}
