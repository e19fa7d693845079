// The shape of a pooling over images [N, H, W, C].

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
