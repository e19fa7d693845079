// A place in units of 1/256 pixel, row then column; and whether it is there at all.
struct Spot {
    at: vec2<i32>,
    there: bool,
}

// An image of the batch, and where its words begin.
struct Picture {
    n: u32,
    first: u32,
}

// An index moved inside of the set: outside is the caller's error, but must not read elsewhere.
fn picture(n: u32) -> Picture {
    return Picture(n, u32(clamp(chosen[n], 0, i32(STORED) - 1)) * WORDS);
}

fn byte(taken: Picture, row: i32, column: i32, c: u32) -> u32 {
    let at = (u32(row) * COLUMNS + u32(column)) * CHANNELS + c;
    return toned(taken.n, c, (pixels[taken.first + at / 4u] >> (at % 4u * 8u)) & 255u);
}

// The mean of a channel in units of 2^-16.
fn mean(c: u32) -> u32 {
    return u32(normalization[c] * 65536.0);
}

// The pixel of an axis of n at a position: -1 outside, or mirrored at its ends.
fn within(at: i32, n: i32) -> i32 {
    if (REFLECT) {
        let period = max(2 * (n - 1), 1);
        let past = (at % period + period) % period;
        return min(past, 2 * (n - 1) - past);
    }
    return select(-1, at, at >= 0 && at < n);
}

// Pixels times their weights in units of 2^-16, and the weight that is left to the mean.
struct Sum {
    inside: u32,
    outside: u32,
}

fn tap(sum: Sum, taken: Picture, row: i32, column: i32, c: u32, weight: u32) -> Sum {
    if (weight == 0u) {
        return sum;
    }
    let r = within(row, i32(ROWS));
    let s = within(column, i32(COLUMNS));
    if (r < 0 || s < 0) {
        return Sum(sum.inside, sum.outside + weight);
    }
    return Sum(sum.inside + weight * byte(taken, r, s, c), sum.outside);
}

// A channel between pixels, in units of 2^-16.
fn interpolated(taken: Picture, spot: Spot, c: u32) -> u32 {
    if (!spot.there) {
        return mean(c);
    }
    let corner = spot.at >> vec2(8u);
    let next = vec2<u32>(spot.at & vec2(255));
    let here = vec2(256u) - next;
    var sum = Sum(0u, 0u);
    sum = tap(sum, taken, corner.x, corner.y, c, here.x * here.y);
    sum = tap(sum, taken, corner.x, corner.y + 1, c, here.x * next.y);
    sum = tap(sum, taken, corner.x + 1, corner.y, c, next.x * here.y);
    sum = tap(sum, taken, corner.x + 1, corner.y + 1, c, next.x * next.y);
    if (sum.outside == 65536u) {
        return mean(c);
    }
    // 15 bits of weight times 16 of the mean.
    return sum.inside + (((sum.outside >> 1u) * (mean(c) >> 8u)) >> 7u);
}

fn element(index: u32) -> f32 {
    let c = index % CHANNELS;
    let x = index / CHANNELS % WIDTH;
    let y = index / (CHANNELS * WIDTH) % HEIGHT;
    let n = index / (CHANNELS * WIDTH * HEIGHT);
    let value = changed(n, i32(y), i32(x), c);
    return (f32(value) * 0.0000152587890625 - normalization[c]) * normalization[CHANNELS + c];
}
