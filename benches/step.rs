//! Whole training steps, by criterion: `cargo bench --bench step`. Elements are images.

mod support;

use criterion::{Criterion, criterion_group, criterion_main};

fn steps(criterion: &mut Criterion) {
    support::bench(criterion, "training step", chiaro_bench::steps().expect("the shapes of the table fit"));
}

criterion_group!(benches, steps);
criterion_main!(benches);
