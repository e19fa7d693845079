// Results that are stored one by one on software devices.

// Called once for each element of the result; index is its place there.
fn put(value: f32, index: u32) {
    c[index] = CWord(value);
}

fn store4(row: CRow, n: u32, value: vec4<f32>) {
    // As many as compilers do not know, or they would write out what is done with an element four times.
    let columns = min(4u, GEMM_N - min(GEMM_N, n));
    for (var i = 0u; i < select(0u, columns, row.valid); i++) {
        put(value[i], row.base + n + i);
    }
}
