// Tiles of cooperative matrices: f16 operands in workgroup memory, f32 sums in registers. Vulkan and Metal only.

enable f16;
enable wgpu_cooperative_matrix;

const TILE_K: u32 = 16u;
// Parts of the tile; a subgroup computes one at a time, and as many as there are subgroups at once.
const TILE_PARTS: u32 = 4u;
const MATRIX_SIZE: u32 = 16u;

alias MatrixA = coop_mat16x16<f16, A>;
alias MatrixB = coop_mat16x16<f16, B>;
alias MatrixC = coop_mat16x16<f32, C>;

// Rows are eight elements longer than what they hold.
alias ATile = vec4<f16>;
alias BTile = vec4<f16>;
const A_LANES: u32 = 4u;
const B_LANES: u32 = 4u;
// Words of one stage.
const A_STAGE: u32 = max(TILE_M * (TILE_K + 8u), TILE_K * (TILE_M + 8u)) / A_LANES;
const B_STAGE: u32 = max(TILE_N * (TILE_K + 8u), TILE_K * (TILE_N + 8u)) / B_LANES;
const STAGES: u32 = 1u;
var<workgroup> a_tile: array<ATile, STAGES * A_STAGE>;
var<workgroup> b_tile: array<BTile, STAGES * B_STAGE>;
// Some matrices of sums of each part, on their way to where they are put; no subgroup sees those of another.
alias CTile = vec4<f32>;
const C_LANES: u32 = 4u;
const C_MATRICES: u32 = 1u;
var<workgroup> c_tile: array<CTile, TILE_PARTS * C_MATRICES * MATRIX_SIZE * MATRIX_SIZE / C_LANES>;
