
fn change(n: u32, k: u32) -> i32 {
    return changes[n * 14u + k];
}

// Whether the rectangle whose rows and columns begin at number k has this pixel.
fn covers(n: u32, k: u32, y: i32, x: i32) -> bool {
    return y >= change(n, k) && y < change(n, k + 1u) && x >= change(n, k + 2u) && x < change(n, k + 3u);
}

// A channel with the difference to the mean of what is around it (weights 1 2 1 both ways) added so many 256ths of times.
fn sampled(taken: Picture, spot: Spot, c: u32) -> u32 {
    let sharp = interpolated(taken, spot, c);
    let amount = change(taken.n, 1u);
    if (amount == 0) {
        return sharp;
    }
    let by = change(taken.n, 0u);
    var around = 0u;
    for (var i = 0; i < 9; i++) {
        let step = vec2(i / 3 - 1, i % 3 - 1);
        let weight = vec2(2) - abs(step);
        around += u32(weight.x * weight.y) * (interpolated(taken, Spot(spot.at + step * by, spot.there), c) >> 4u);
    }
    let difference = (i32(around) - i32(sharp)) >> 4u;
    return u32(clamp(i32(sharp) + ((difference * amount) >> 4u), 0, 16711680));
}

// A random byte for each channel of each pixel.
fn noise(seed: u32, at: u32) -> u32 {
    var h = seed ^ (at * 2654435761u);
    h = (h ^ (h >> 15u)) * 739982445u;
    h = (h ^ (h >> 12u)) * 695872825u;
    return (h ^ (h >> 15u)) & 255u;
}

// An image of the batch, a rectangle of it erased.
fn single(n: u32, y: i32, x: i32, c: u32) -> u32 {
    if (covers(n, 2u, y, x)) {
        let seed = change(n, 6u);
        let at = ((n * HEIGHT + u32(y)) * WIDTH + u32(x)) * CHANNELS + c;
        return select(noise(u32(seed), at) << 16u, mean(c), seed == 0);
    }
    return coloured(picture(n), spot(n, y, x), c);
}

// An image and a share of another.
fn changed(n: u32, y: i32, x: i32, c: u32) -> u32 {
    let share = u32(clamp(select(change(n, 8u), change(n, 9u), covers(n, 10u, y, x)), 0, 256));
    let other = u32(clamp(change(n, 7u), 0, i32(BATCH) - 1));
    if (share == 0u) {
        return single(n, y, x, c);
    }
    if (share == 256u) {
        return single(other, y, x, c);
    }
    return (single(n, y, x, c) * (256u - share) + single(other, y, x, c) * share) >> 8u;
}
