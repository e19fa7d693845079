
// A channel's row of the colour matrix times all channels, held between 0 and 255.
fn coloured(taken: Picture, spot: Spot, c: u32) -> u32 {
    let row = (taken.n * CHANNELS + c) * (CHANNELS + 1u);
    var sum = colour[row + CHANNELS] * 64;
    for (var k = 0u; k < CHANNELS; k++) {
        sum += colour[row + k] * i32(sampled(taken, spot, k) >> 10u);
    }
    return u32(clamp(sum, 0, 66846720)) >> 2u;
}
