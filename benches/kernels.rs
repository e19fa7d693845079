//! Every kernel family over the shapes of real networks, by criterion: `cargo bench --bench kernels -- resnet18` runs those whose
//! names match. Elements are floating-point operations. `chiaro bench` shows the same table with its share of the roofline.

mod support;

use criterion::{Criterion, criterion_group, criterion_main};

fn kernels(criterion: &mut Criterion) {
    support::bench(criterion, "kernel", chiaro_bench::kernels().expect("the shapes of the table fit"));
}

criterion_group!(benches, kernels);
criterion_main!(benches);
