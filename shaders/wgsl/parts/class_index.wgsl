// The class of each row, which is one number among COLUMNS, and what is done with it.

const SMOOTHING: f32 = 0.0;
const IGNORE_INDEX: i32 = -100;

// The class of a row, moved inside: outside is the caller's error, but must not read elsewhere.
struct Class { index: u32, ignored: bool }

fn class_of(row: Row) -> Class {
    let label = target_class[min(row.number, ROWS - 1u)];
    return Class(u32(clamp(label, 0, i32(COLUMNS) - 1)), label == IGNORE_INDEX);
}
