// The mean of each window, per channel.

alias Elem = f32;
alias OutElem = f32;
const BATCH: u32 = 1u;
const IN_H: u32 = 4u;
const IN_W: u32 = 4u;
const CHANNELS: u32 = 1u;
const OUT_H: u32 = 2u;
const OUT_W: u32 = 2u;
const KERNEL_H: u32 = 2u;
const KERNEL_W: u32 = 2u;
const STRIDE_H: u32 = 2u;
const STRIDE_W: u32 = 2u;
const PAD_H: u32 = 0u;
const PAD_W: u32 = 0u;
// Positions inside the padded image count; those beyond the padding, in ceil mode, do not.
const INCLUDE_PADDING: bool = true;
// Divides every window if not 0.
const FIXED_DIVISOR: u32 = 0u;

@group(0) @binding(0) var<storage, read> x: array<Elem>; // [N, H, W, C]
@group(0) @binding(1) var<storage, read_write> y: array<OutElem>; // [N, OH, OW, C]

// How many of the positions first .. first + kernel, counted in the padded image, the divisor counts.
fn extent(first: u32, kernel: u32, padding: u32, size: u32) -> u32 {
    if (INCLUDE_PADDING) {
        return min(kernel, size + 2u * padding - first);
    }
    return min(first + kernel, size + padding) - min(max(first, padding), size + padding);
}

fn divisor(oh: u32, ow: u32) -> f32 {
    if (FIXED_DIVISOR != 0u) {
        return f32(FIXED_DIVISOR);
    }
    let h = extent(oh * STRIDE_H, KERNEL_H, PAD_H, IN_H);
    return f32(h * extent(ow * STRIDE_W, KERNEL_W, PAD_W, IN_W));
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = (group.x + group.y * groups.x) * 64u + thread;
    if (i >= BATCH * OUT_H * OUT_W * CHANNELS) {
        return;
    }
    let c = i % CHANNELS;
    let ow = i / CHANNELS % OUT_W;
    let oh = i / (CHANNELS * OUT_W) % OUT_H;
    let n = i / (CHANNELS * OUT_W * OUT_H);
    var sum = 0.0;
    for (var kh = 0u; kh < KERNEL_H; kh++) {
        // Rows above the image wrap around to large numbers.
        let h = oh * STRIDE_H + kh - PAD_H;
        for (var kw = 0u; kw < KERNEL_W; kw++) {
            let w = ow * STRIDE_W + kw - PAD_W;
            if ((h < IN_H) & (w < IN_W)) {
                sum += f32(x[((n * IN_H + h) * IN_W + w) * CHANNELS + c]);
            }
        }
    }
    y[i] = OutElem(sum / divisor(oh, ow));
}
