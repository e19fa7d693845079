// Tiles that a workgroup keeps in workgroup memory.

const TILE_K: u32 = 8u;

// A word is what one invocation loads and stores at once: WGSL lets a store to one component of a vector touch the others. An
// operand whose neighbours are along k has words of four terms of one row; of every four terms first a word of each thread's
// rows, then the next. Otherwise words are of neighbouring rows, and element (k, m) is at k * TILE_M + m.
alias ATile = vec4<f32>;
alias BTile = vec4<f32>;
const A_LANES: u32 = 4u;
const B_LANES: u32 = 4u;
var<workgroup> a_tile: array<ATile, TILE_K * TILE_M / A_LANES>;
var<workgroup> b_tile: array<BTile, TILE_K * TILE_N / B_LANES>;
