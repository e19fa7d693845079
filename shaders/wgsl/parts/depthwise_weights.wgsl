// The weights of a workgroup's channels in its memory, and a strip of the result for each invocation.

alias WElem = f32;
alias OutVal = vec4<f32>;
// Rows of the result, and strips in one.
const ROWS: u32 = 16u;
const STRIPS: u32 = 4u;

var<workgroup> weights: array<vec4<f32>, TAPS * BLOCK>; // [TAPS, BLOCK, 4]

fn load_weights(block: u32, thread: u32) {
    for (var i = thread; i < TAPS * BLOCK; i += THREADS) {
        let c = block * BLOCK + i / TAPS;
        if (c < QUADS) {
            let at = c * 4u * TAPS + i % TAPS;
            let four = vec4<f32>(f32(w[at]), f32(w[at + TAPS]), f32(w[at + 2u * TAPS]), f32(w[at + 3u * TAPS]));
            weights[i % TAPS * BLOCK + i / TAPS] = four;
        }
    }
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let number = group.x + group.y * groups.x;
    let block = number % BLOCKS;
    load_weights(block, thread);
    workgroupBarrier();
    let place = thread % BLOCK;
    let c = block * BLOCK + place;
    let strip = number / BLOCKS * LANES + thread / BLOCK;
    let row = strip / STRIPS;
    if ((c < QUADS) & (row < ROWS)) {
        strip_of(row, strip % STRIPS * STRIP, c, place);
    }
}
