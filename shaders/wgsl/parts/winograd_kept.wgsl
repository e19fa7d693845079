// An image that is computed as it is read and kept in memory for the kernels that read it later: each of the lines 1 to 4 of a tile keeps a row
// of the pixels that no other tile has so.

// The first row and column of those pixels.
const OWN: u32 = 0u;

// What is done with a word that is kept.
fn a_keep(word: u32, value: AVal) {
}

fn keep_row(at: Place) {
    let row = at.line - 1u;
    let h = at.h + OWN + row;
    // As many as compilers do not know, or they would compute all four at once, for which Adreno has no registers.
    let pixels = select(0u, 4u, row < 4u);
    for (var j = 0u; j < pixels; j++) {
        let w = at.w + OWN + j;
        if ((h < IMAGE_H) & (w < IMAGE_W)) {
            let word = at.image + (h * IMAGE_W + w) * (CHANNELS / 4u);
            a_keep(word, a_load(word));
        }
    }
}
