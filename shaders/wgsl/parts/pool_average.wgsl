// What the average of a window is divided by.

// Positions inside the padded image count; those beyond the padding, in ceil mode, do not.
const INCLUDE_PADDING: bool = true;
// Divides every window if not 0.
const FIXED_DIVISOR: u32 = 0u;

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
