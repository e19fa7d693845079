// Depthwise convolutions: channel o of y sees channel o / MULTIPLIER of x alone.

const MULTIPLIER: u32 = OUT_C / IN_C;
