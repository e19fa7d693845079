// How far two results are apart.

@group(0) @binding(1) var<storage, read_write> made: array<u32>;
@group(0) @binding(2) var<storage> wanted: array<u32>;
// For each workgroup: the squares of the differences, of what is wanted, elements of which one is not finite, words that differ.
@group(0) @binding(3) var<storage, read_write> sums: array<vec4<f32>>;

var<workgroup> parts: array<vec4<f32>, 64>;

fn finite(value: f32) -> bool {
    return (bitcast<u32>(value) & 0x7f800000u) != 0x7f800000u;
}

// A square of the difference and of the wanted value; numbers too large for that count as wrong unless they are near.
fn element(got: f32, want: f32) -> vec4<f32> {
    // An epilogue may take the logarithm of a negative number that was made up for the search.
    if (!finite(got) || !finite(want)) {
        return vec4<f32>(0.0, 0.0, select(0.0, 1.0, finite(got) != finite(want)), 0.0);
    }
    if (abs(want) > 1e18 || abs(got) > 1e18) {
        return vec4<f32>(0.0, 0.0, select(0.0, 1.0, abs(got - want) > 1e-3 * abs(want)), 0.0);
    }
    return vec4<f32>((got - want) * (got - want), want * want, 0.0, 0.0);
}

@compute @workgroup_size(64)
fn compare(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    var sum = vec4<f32>();
    for (var i = id.x; i < words(); i += task.stride) {
        let got = made[i];
        let want = wanted[i];
        sum.w += select(0.0, 1.0, got != want);
        if (KIND == 0u) {
            sum += element(bitcast<f32>(got), bitcast<f32>(want));
        } else if (KIND == 1u) {
            let g = unpack2x16float(got);
            let w = unpack2x16float(want);
            sum += element(g.x, w.x);
            if (2u * i + 1u < task.length) {
                sum += element(g.y, w.y);
            }
        }
    }
    parts[thread] = sum;
    workgroupBarrier();
    for (var width = 32u; width > 0u; width /= 2u) {
        if (thread < width) {
            parts[thread] += parts[thread + width];
        }
        workgroupBarrier();
    }
    if (thread == 0u) {
        sums[group.x] = parts[0];
    }
}
