// Merges the parts of moments_rows in their order: mean and biased variance of each column.

const ROWS: u32 = 64u;
const COLUMNS: u32 = 16u;
const PARTS: u32 = 2u;
const CHUNK: u32 = 32u;

@group(0) @binding(0) var<storage, read> parts: array<f32>; // [PARTS, 2, COLUMNS]
@group(0) @binding(1) var<storage, read_write> y: array<f32>; // [2, COLUMNS]

// Number, mean and sum of squared deviations of some values.
struct Moments { count: f32, mean: f32, squares: f32 }

// Of two sets together (Chan, Golub, LeVeque 1979): exact where the mean is many times the spread.
fn merged(a: Moments, b: Moments) -> Moments {
    let count = a.count + b.count;
    let share = select(0.0, b.count / count, b.count > 0.0);
    let delta = b.mean - a.mean;
    return Moments(count, a.mean + delta * share, a.squares + b.squares + delta * delta * a.count * share);
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = (group.x + group.y * groups.x) * 64u + thread;
    if (i >= COLUMNS) {
        return;
    }
    var sum = Moments(f32(min(CHUNK, ROWS)), parts[i], parts[COLUMNS + i]);
    for (var p = 1u; p < PARTS; p++) {
        let at = p * 2u * COLUMNS + i;
        let count = f32(min(CHUNK, ROWS - p * CHUNK));
        sum = merged(sum, Moments(count, parts[at], parts[at + COLUMNS]));
    }
    y[i] = sum.mean;
    y[COLUMNS + i] = sum.squares / f32(ROWS);
}
