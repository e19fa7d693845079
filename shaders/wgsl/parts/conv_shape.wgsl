// The shape of a 2-D convolution: images [N, H, W, C], weights [O, KH, KW, I / groups].

const BATCH: u32 = 1u;
const IN_H: u32 = 4u;
const IN_W: u32 = 4u;
const IN_C: u32 = 4u;
const OUT_H: u32 = 4u;
const OUT_W: u32 = 4u;
const OUT_C: u32 = 4u;
const KERNEL_H: u32 = 3u;
const KERNEL_W: u32 = 3u;
const STRIDE_H: u32 = 1u;
const STRIDE_W: u32 = 1u;
const PAD_TOP: u32 = 1u;
const PAD_LEFT: u32 = 1u;
const DILATION_H: u32 = 1u;
const DILATION_W: u32 = 1u;
