// Images of packed 8-bit pixels, moved and normalised: y[n, h, w, c] = affine[0, c] * pixel(index[n], h + dy, x + dx, c)
// + affine[1, c], and 0 outside of the image, where (dy, dx, mirrored) = moves[n] and x is w, or WIDTH - 1 - w if mirrored.

alias OutElem = f32;
const STORED: u32 = 2u;
// Words of an image: its pixels four to a word, the first in the lowest byte, filled up to a whole word.
const WORDS: u32 = 3u;
const BATCH: u32 = 2u;
const HEIGHT: u32 = 2u;
const WIDTH: u32 = 2u;
const CHANNELS: u32 = 3u;

@group(0) @binding(0) var<storage, read> pixels: array<u32>; // [STORED, WORDS]
@group(0) @binding(1) var<storage, read> index: array<i32>; // [N]
@group(0) @binding(2) var<storage, read> moves: array<i32>; // [N, 3]
@group(0) @binding(3) var<storage, read> affine: array<f32>; // [2, C]
@group(0) @binding(4) var<storage, read_write> y: array<OutElem>; // [N, H, W, C]

fn epilogue(value: f32, index: u32) -> f32 {
    return value;
}

// An index moved inside of the set: outside is the caller's error, but must not read elsewhere.
fn inside(at: i32) -> u32 {
    return u32(clamp(at, 0, i32(STORED) - 1));
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = (group.x + group.y * groups.x) * 64u + thread;
    if (i >= BATCH * HEIGHT * WIDTH * CHANNELS) {
        return;
    }
    let c = i % CHANNELS;
    let w = i / CHANNELS % WIDTH;
    let h = i / (CHANNELS * WIDTH) % HEIGHT;
    let n = i / (CHANNELS * WIDTH * HEIGHT);
    // Below zero wraps around to a large number, which is outside too.
    let row = h + bitcast<u32>(moves[3u * n]);
    let column = select(w, WIDTH - 1u - w, moves[3u * n + 2u] != 0) + bitcast<u32>(moves[3u * n + 1u]);
    var value = 0.0;
    if ((row < HEIGHT) & (column < WIDTH)) {
        let at = (row * WIDTH + column) * CHANNELS + c;
        let word = pixels[inside(index[n]) * WORDS + at / 4u];
        value = f32((word >> (at % 4u * 8u)) & 255u) * affine[c] + affine[CHANNELS + c];
    }
    y[i] = OutElem(epilogue(value, i));
}
