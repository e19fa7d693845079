// Mean and sum of squared deviations over part of the rows, for each column: batch norm over [N * H * W, C].
// A workgroup takes SIDE neighbouring columns and every THREADS / SIDE-th row of its part.

alias Elem = f32;
const ROWS: u32 = 64u;
const COLUMNS: u32 = 16u;
const PARTS: u32 = 1u;
// Rows of a part.
const CHUNK: u32 = 64u;
const SIDE: u32 = 16u;
const THREADS: u32 = 256u;
const DEPTH: u32 = THREADS / SIDE;
// With one part the squares are divided by the count: the variance.
const BLOCKS: u32 = (COLUMNS + SIDE - 1u) / SIDE;

@group(0) @binding(0) var<storage, read> x: array<Elem>; // [ROWS, COLUMNS]
@group(0) @binding(1) var<storage, read_write> y: array<f32>; // [PARTS, 2, COLUMNS]

var<workgroup> means: array<f32, THREADS>;
var<workgroup> squares: array<f32, THREADS>;
var<workgroup> counts: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let block = group.x + group.y * groups.x;
    if (block >= BLOCKS * PARTS) {
        return;
    }
    let part = block / BLOCKS;
    let column = block % BLOCKS * SIDE + thread % SIDE;
    let end = min((part + 1u) * CHUNK, ROWS);
    var sum = Moments(0.0, 0.0, 0.0);
    if (column < COLUMNS) {
        var row = part * CHUNK + thread / SIDE;
        // Four at a time: their own moments first, so that a division pays for four.
        for (; row + 3u * DEPTH < end; row += 4u * DEPTH) {
            let at = row * COLUMNS + column;
            let step = DEPTH * COLUMNS;
            let v = vec4<f32>(f32(x[at]), f32(x[at + step]), f32(x[at + 2u * step]), f32(x[at + 3u * step]));
            let mean = dot(v, vec4<f32>(0.25));
            let d = v - vec4<f32>(mean);
            sum = merged(sum, Moments(4.0, mean, dot(d, d)));
        }
        for (; row < end; row += DEPTH) {
            sum = merged(sum, Moments(1.0, f32(x[row * COLUMNS + column]), 0.0));
        }
    }
    counts[thread] = sum.count;
    means[thread] = sum.mean;
    squares[thread] = sum.squares;
    workgroupBarrier();
    for (var half = DEPTH / 2u; half > 0u; half /= 2u) {
        if (thread / SIDE < half) {
            let o = thread + half * SIDE;
            let own = Moments(counts[thread], means[thread], squares[thread]);
            let both = merged(own, Moments(counts[o], means[o], squares[o]));
            counts[thread] = both.count;
            means[thread] = both.mean;
            squares[thread] = both.squares;
        }
        workgroupBarrier();
    }
    if ((thread < SIDE) & (column < COLUMNS)) {
        let divisor = select(1.0, f32(ROWS), PARTS == 1u);
        y[part * 2u * COLUMNS + column] = means[thread];
        y[part * 2u * COLUMNS + COLUMNS + column] = squares[thread] / divisor;
    }
}
