// Results that are stored one by one.

// Called once for each element of the result; index is its place there.
fn put(value: f32, index: u32) {
    c[index] = CWord(value);
}

fn store4(row: CRow, n: u32, value: vec4<f32>) {
    for (var i = 0u; i < 4u; i++) {
        if (row.valid & (n + i < GEMM_N)) {
            put(value[i], row.base + n + i);
        }
    }
}
