// Channels of a group of a convolution.

const GROUPS: u32 = 1u;
const GROUP_IN: u32 = IN_C / GROUPS;
const GROUP_OUT: u32 = OUT_C / GROUPS;
