// The right operand of a product whose columns and terms each have one distance in memory.

struct BColumn { base: u32 }
struct BStep { offset: u32, valid: bool }

fn b_load(word: u32) -> BVal {
    return BVal(b[word]);
}

fn b_find(column: BColumn, step: BStep) -> Found {
    return Found(select(0u, column.base + step.offset, step.valid), step.valid);
}
