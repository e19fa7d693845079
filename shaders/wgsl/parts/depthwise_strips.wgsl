// Depthwise convolutions with as many channels out as in, four neighbouring channels and STRIP neighbouring pixels of a row in an
// invocation: taps are loaded once for all pixels of the strip. A workgroup has LANES strips of BLOCK fours of channels.

const STRIP: u32 = 4u;
const BLOCK: u32 = 8u;
const LANES: u32 = 16u;
const THREADS: u32 = BLOCK * LANES;
const QUADS: u32 = OUT_C / 4u;
const BLOCKS: u32 = (QUADS + BLOCK - 1u) / BLOCK;
const TAPS: u32 = KERNEL_H * KERNEL_W;
