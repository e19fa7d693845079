//! Matrix products: remainders of every tile, transposed operands, batches that broadcast.

use crate::case::Case;
use crate::draw::Draw;

pub(super) fn cases() -> Vec<Case> {
    type Row = (&'static str, &'static [usize], &'static [usize], bool, bool);
    let table: &[Row] = &[
        ("small", &[4, 3], &[3, 5], false, false),
        ("odd", &[37, 29], &[29, 43], false, false),
        ("transpose_first", &[19, 24], &[19, 31], true, false),
        ("transpose_second", &[24, 19], &[31, 19], false, true),
        ("transpose_both", &[19, 24], &[31, 19], true, true),
        ("row", &[1, 48], &[48, 20], false, false),
        ("column", &[20, 48], &[48, 1], false, false),
        ("inner_1", &[6, 1], &[1, 9], false, false),
        ("one_number", &[1, 1], &[1, 1], false, false),
        ("long_inner", &[9, 1030], &[1030, 7], false, false),
        ("wide", &[3, 17], &[17, 300], false, false),
        ("two_tiles", &[129, 65], &[65, 131], false, false),
        ("vector_widths", &[64, 32], &[32, 64], false, false),
        ("batched", &[5, 8, 12], &[5, 12, 7], false, false),
        ("batched_transposed", &[3, 12, 8], &[3, 7, 12], true, true),
        ("matrix_for_each_batch", &[4, 6, 10], &[10, 8], false, false),
        ("matrix_first", &[6, 10], &[4, 10, 8], false, false),
        ("batch_of_1", &[4, 6, 10], &[1, 8, 10], false, true),
        ("both_broadcast", &[3, 1, 6, 10], &[4, 10, 5], false, false),
        ("both_broadcast_transposed", &[3, 1, 10, 6], &[4, 5, 10], true, true),
    ];
    let mut all = vec![];
    for &(name, a, b, ta, tb) in table {
        let inner = a[a.len() - if ta { 2 } else { 1 }];
        let case = Case::new(format!("matmul/{name}"), move |g, v| g.matmul(v[0], v[1], ta, tb));
        all.push(case.float("a", a, Draw::Normal).float("b", b, Draw::Normal).terms(inner));
    }
    all.push(
        Case::new("matmul/square_of_a_matrix", |g, v| g.matmul(v[0], v[0], false, true))
            .float("a", &[7, 9], Draw::Normal)
            .terms(9),
    );
    all.push(
        Case::new("matmul/linear", |g, v| {
            let y = g.linear(v[0], v[1], Some(v[2]))?;
            g.relu(y)
        })
        .float("x", &[3, 5, 18], Draw::Normal)
        .float("weight", &[11, 18], Draw::Normal)
        .float("bias", &[11], Draw::Normal)
        .terms(18),
    );
    all
}
