// The left operand of a product whose rows and terms each have one distance in memory.

struct ARow { base: u32 }
struct AStep { offset: u32, valid: bool }

// What lies at a word of `a`; an input that is computed as it is read has other code here.
fn a_load(word: u32) -> AVal {
    return AVal(a[word]);
}

fn a_find(row: ARow, step: AStep) -> Found {
    return Found(select(0u, row.base + step.offset, step.valid), step.valid);
}
