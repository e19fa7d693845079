// The left operand of a product that is read through windows of an image: a row is a window, whose first pixel may lie outside,
// a step a tap of it; base counts words.

struct ARow { base: i32, h: i32, w: i32 }
struct AStep { offset: i32, h: i32, w: i32, valid: bool }

// What lies at a word of `a`; an input that is computed as it is read has other code here.
fn a_load(word: u32) -> AVal {
    return AVal(a[word]);
}
