// The left operand where it is computed as it is read and kept in memory for the kernels that read it later: of the invocations that read an
// element one keeps it.

// What is done with a word that is kept.
fn a_keep(word: u32, value: AVal) {
}

// Whether it is at this step that an element is kept, of those at which the product reads it.
fn a_owns(step: AStep) -> bool {
    return true;
}

fn a_take(row: ARow, step: AStep, mine: bool) -> AVal {
    let found = a_find(row, step);
    let value = a_load(found.at);
    if (mine & found.valid & a_owns(step)) {
        a_keep(found.at, value);
    }
    return select(AVal(), value, found.valid);
}
