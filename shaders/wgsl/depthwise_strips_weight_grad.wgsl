// The gradient of a depthwise convolution with respect to its weight, in PARTS parts of the output's strips that sum_parts adds in
// order. An invocation sums SHARE rows of taps over its strips; those of a workgroup are added in order, a row of taps at a time.

alias XVal = vec4<f32>;
alias GradVal = vec4<f32>;
const PARTS: u32 = 1u;
// Strips of a part, and of the whole output.
const CHUNK: u32 = 16u;
const COUNT: u32 = 16u;
const STRIPS: u32 = 4u;
const SHARE: u32 = 3u;
const SHARES: u32 = (KERNEL_H + SHARE - 1u) / SHARE;

@group(0) @binding(0) var<storage, read> x: array<XVal>; // [N, H, W, C / 4]
@group(0) @binding(1) var<storage, read> dy: array<GradVal>; // [N, OH, OW, O / 4]
@group(0) @binding(2) var<storage, read_write> parts: array<f32>; // [PARTS, O, KH, KW, 1]

var<workgroup> sums: array<vec4<f32>, KERNEL_W * THREADS>; // [KERNEL_W, LANES, BLOCK, 4]

// Channels of a pixel of a row of x, 0 outside; columns left of the image wrap around to large numbers.
fn pixel(row: u32, column: u32, c: u32) -> vec4<f32> {
    let inside = column < IN_W;
    return select(vec4<f32>(), vec4<f32>(x[select(0u, (row + column) * QUADS + c, inside)]), inside);
}

// Channels of a pixel of dy.
fn gradient(row: u32, column: u32, c: u32) -> vec4<f32> {
    return vec4<f32>(dy[(row * OUT_W + column) * QUADS + c]);
}

// Adds what the lanes summed of a row of taps, and stores it.
fn finish(part: u32, block: u32, tap_row: u32, thread: u32) {
    workgroupBarrier();
    if ((thread < KERNEL_W * BLOCK) & (tap_row < KERNEL_H)) {
        let c = block * BLOCK + thread % BLOCK;
        let column = thread / BLOCK;
        var sum = vec4<f32>();
        for (var lane = 0u; lane < LANES; lane++) {
            sum += sums[column * THREADS + lane * BLOCK + thread % BLOCK];
        }
        if ((c < QUADS) & (part < PARTS)) {
            let at = (part * OUT_C + c * 4u) * TAPS + tap_row * KERNEL_W + column;
            parts[at] = sum.x;
            parts[at + TAPS] = sum.y;
            parts[at + 2u * TAPS] = sum.z;
            parts[at + 3u * TAPS] = sum.w;
        }
    }
    workgroupBarrier();
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let number = group.x + group.y * groups.x;
    let block = number % BLOCKS;
    let share = number / BLOCKS % SHARES * SHARE;
    let part = number / (BLOCKS * SHARES);
    sum_of(part, block, share, thread);
}

// What an invocation sums and hands to its workgroup. Of a part beyond the last nothing is stored.
fn sum_of(part: u32, block: u32, share: u32, thread: u32) {
    finish(part, block, share, thread);
}
