// The gradient of avg_pool2d: each window's gradient, divided as the window was, goes to its elements.

alias GradElem = f32;
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

@group(0) @binding(0) var<storage, read> dy: array<GradElem>; // [N, OH, OW, C]
@group(0) @binding(1) var<storage, read_write> dx: array<OutElem>; // [N, H, W, C]

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
    if (i >= BATCH * IN_H * IN_W * CHANNELS) {
        return;
    }
    let c = i % CHANNELS;
    let iw = i / CHANNELS % IN_W;
    let ih = i / (CHANNELS * IN_W) % IN_H;
    let n = i / (CHANNELS * IN_W * IN_H);
    // The windows that may cover this pixel: its distance from a window's first pixel is 0 to the window's reach.
    let h = ih + PAD_H;
    let w = iw + PAD_W;
    let reach_h = (KERNEL_H - 1u);
    let reach_w = (KERNEL_W - 1u);
    let first_h = (h - min(h, reach_h) + STRIDE_H - 1u) / STRIDE_H;
    let first_w = (w - min(w, reach_w) + STRIDE_W - 1u) / STRIDE_W;
    let end_h = min(h / STRIDE_H + 1u, OUT_H);
    let end_w = min(w / STRIDE_W + 1u, OUT_W);
    var sum = 0.0;
    for (var oh = first_h; oh < end_h; oh++) {
        for (var ow = first_w; ow < end_w; ow++) {
            let o = ((n * OUT_H + oh) * OUT_W + ow) * CHANNELS + c;
            sum += f32(dy[o]) / divisor(oh, ow);
        }
    }
    dx[i] = OutElem(sum);
}
