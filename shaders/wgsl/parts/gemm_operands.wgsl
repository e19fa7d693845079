// What all operands of a matrix product have: elements that are found at once (1, 4 or 8), and how they lie in
// memory (Word) and in registers (Val).

// Whether the last step of TILE_K has terms beyond the last.
const K_MASKED: bool = true;
const A_WIDTH: u32 = 1u;
const B_WIDTH: u32 = 1u;
alias AWord = f32;
alias AVal = f32;
alias BWord = f32;
alias BVal = f32;
alias CWord = f32;

// Where a row of the result begins.
struct CRow { base: u32, valid: bool }

// Where the elements of a row lie, counted by as many as are found at once, and whether there are any.
struct Found { at: u32, valid: bool }

fn a_fetch(row: ARow, step: AStep) -> AVal {
    let found = a_find(row, step);
    return select(AVal(), a_load(found.at), found.valid);
}

fn b_fetch(column: BColumn, step: BStep) -> BVal {
    let found = b_find(column, step);
    return select(BVal(), b_load(found.at), found.valid);
}
