// What all operands of a matrix product have: elements a load, and how they lie in memory (Word) and in registers (Val).

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
