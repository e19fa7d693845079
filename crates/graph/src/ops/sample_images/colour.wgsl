
// A channel's row of the colour matrix times all channels, held between 0 and 255.
fn coloured(first: u32, spot: Spot, n: u32, c: u32) -> u32 {
    let row = (n * CHANNELS + c) * (CHANNELS + 1u);
    var sum = colour[row + CHANNELS] * 64;
    for (var k = 0u; k < CHANNELS; k++) {
        sum += colour[row + k] * i32(sampled(first, spot, k) >> 10u);
    }
    return u32(clamp(sum, 0, 66846720)) >> 2u;
}
