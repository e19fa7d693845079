// Selection along an axis by COUNT indices.

const COUNT: u32 = 3u;

// An index moved inside of the axis: outside is the caller's error, but must not read elsewhere.
fn inside(at: i32) -> u32 {
    return u32(clamp(at, 0, i32(AXIS) - 1));
}
