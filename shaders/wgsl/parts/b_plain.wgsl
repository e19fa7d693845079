// The right operand of a product whose columns and terms each have one distance in memory.

struct BColumn { base: u32 }
struct BStep { offset: u32, valid: bool }

fn b_fetch(column: BColumn, step: BStep) -> BVal {
    return select(BVal(), BVal(b[select(0u, column.base + step.offset, step.valid)]), step.valid);
}
