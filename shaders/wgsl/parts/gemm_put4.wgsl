// Results whose rows are a multiple of four elements long, stored four at once.

// Called once for every four elements of the result; index is the place of the first.
fn put4(value: vec4<f32>, index: u32) {
    c[index / 4u] = CWord(value);
}

fn store4(row: CRow, n: u32, value: vec4<f32>) {
    if (row.valid & (n < GEMM_N)) {
        put4(value, row.base + n);
    }
}
