// Mean and biased variance of each row: layer norm over [R, n].

alias Elem = f32;
const ROWS: u32 = 8u;
const COLUMNS: u32 = 16u;
// Invocations that share a row: a power of two.
const LANES: u32 = 4u;
const THREADS: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<Elem>; // [ROWS, COLUMNS]
@group(0) @binding(1) var<storage, read_write> y: array<f32>; // [2, ROWS]

var<workgroup> means: array<f32, THREADS>;
var<workgroup> squares: array<f32, THREADS>;
var<workgroup> counts: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let row = (group.x + group.y * groups.x) * (THREADS / LANES) + thread / LANES;
    let lane = thread % LANES;
    let first = min(row, ROWS - 1u) * COLUMNS;
    var sum = Moments(0.0, 0.0, 0.0);
    var c = lane;
    // Four at a time: their own moments first, so that a division pays for four.
    for (; c + 3u * LANES < COLUMNS; c += 4u * LANES) {
        let at = first + c;
        let v = vec4<f32>(f32(x[at]), f32(x[at + LANES]), f32(x[at + 2u * LANES]), f32(x[at + 3u * LANES]));
        let mean = dot(v, vec4<f32>(0.25));
        let d = v - vec4<f32>(mean);
        sum = merged(sum, Moments(4.0, mean, dot(d, d)));
    }
    for (; c < COLUMNS; c += LANES) {
        sum = merged(sum, Moments(1.0, f32(x[first + c]), 0.0));
    }
    counts[thread] = sum.count;
    means[thread] = sum.mean;
    squares[thread] = sum.squares;
    workgroupBarrier();
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        if (lane < half) {
            let o = thread + half;
            let own = Moments(counts[thread], means[thread], squares[thread]);
            let both = merged(own, Moments(counts[o], means[o], squares[o]));
            counts[thread] = both.count;
            means[thread] = both.mean;
            squares[thread] = both.squares;
        }
        workgroupBarrier();
    }
    if ((lane == 0u) & (row < ROWS)) {
        y[row] = means[thread];
        y[ROWS + row] = squares[thread] / f32(COLUMNS);
    }
}
