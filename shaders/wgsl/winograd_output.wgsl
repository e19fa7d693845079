// Sums at the 36 positions of every tile to its 4x4 results, by workgroups of TILES tiles and 4 * LANES channels.
// Rows of the result are pixels [N, OUT_H, OUT_W]; every workgroup but the last has the same number of them, so that it can reduce them.

const BATCH: u32 = 1u;
const OUT_H: u32 = 4u;
const OUT_W: u32 = 4u;
const OUT_C: u32 = 4u;
const TILES_H: u32 = 1u;
const TILES_W: u32 = 1u;
// Tiles that a workgroup has room for, and those that it has.
const TILES: u32 = 8u;
const USED_TILES: u32 = 8u;
// Fours of channels of a workgroup.
const LANES: u32 = 8u;
const FOURS: u32 = OUT_C / 4u;
const ALL_TILES: u32 = BATCH * TILES_H * TILES_W;
const GROUPS_C: u32 = (FOURS + LANES - 1u) / LANES;
const GROUPS_T: u32 = (ALL_TILES + USED_TILES - 1u) / USED_TILES;

@group(0) @binding(0) var<storage, read_write> c: array<vec4<f32>>; // [N, OUT_H, OUT_W, OUT_C]
@group(0) @binding(1) var<storage, read> sums: array<vec4<f32>>; // [36, tiles, OUT_C]

// Called once for every four elements of the result; index is the place of the first.
fn put4(value: vec4<f32>, index: u32) {
    c[index / 4u] = value;
}

// What an invocation has: a row of the results of a tile, whether there is one, its four of channels, and its first pixel.
struct Part { valid: bool, four: u32, image: u32, h: u32, w: u32 }

// The row's value in a column of the positions of a tile.
fn column(at: u32, weights: Weights) -> vec4<f32> {
    let stride = 6u * ALL_TILES * FOURS;
    let all = Six(
        sums[at],
        sums[at + stride],
        sums[at + 2u * stride],
        sums[at + 3u * stride],
        sums[at + 4u * stride],
        sums[at + 5u * stride],
    );
    return weighted(all, weights);
}

fn is_inside(part: Part, j: u32) -> bool {
    return part.valid & (part.w + j < OUT_W);
}

fn store4(part: Part, j: u32, value: vec4<f32>) {
    if (is_inside(part, j)) {
        put4(value, (((part.image * OUT_H + part.h) * OUT_W + part.w + j) * FOURS + part.four) * 4u);
    }
}

@compute @workgroup_size(4u * TILES * LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let number = group.x + group.y * groups.x;
    if (number >= GROUPS_T * GROUPS_C) {
        return;
    }
    let four = number % GROUPS_C * LANES + thread % LANES;
    let row = thread / LANES % 4u;
    let slot = thread / LANES / 4u;
    let tile = number / GROUPS_C * USED_TILES + slot;
    let in_image = tile % (TILES_H * TILES_W);
    let h = in_image / TILES_W * 4u + row;
    let valid = (slot < USED_TILES) & (tile < ALL_TILES) & (four < FOURS) & (h < OUT_H);
    let part = Part(valid, four, tile / (TILES_H * TILES_W), h, in_image % TILES_W * 4u);
    let at = select(0u, tile * FOURS + four, valid);
    let each = weights(row, 3u);
    let step = ALL_TILES * FOURS;
    let results = output_line(Six(
        column(at, each),
        column(at + step, each),
        column(at + 2u * step, each),
        column(at + 3u * step, each),
        column(at + 4u * step, each),
        column(at + 5u * step, each),
    ));
}
