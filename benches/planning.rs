//! How long planning takes, by criterion: `cargo bench --bench planning`. Elements are the nodes of the graph.

use chiaro::Graph;
use chiaro::gpu::portable_plan_options;
use chiaro::graph::plan::{Plan, PlanOptions};
use chiaro::nn::{Sgd, TrainOptions, TrainStep, models};
use chiaro_check::plans::{densenet, lstm};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn resnet18() -> Graph {
    let model = models::by_name("resnet18", 10, [32, 32, 3]).expect("a known model");
    let optimizer = Sgd { momentum: 0.9, ..Sgd::default() };
    TrainStep::build(&model, TrainOptions::new(128, optimizer)).expect("it fits").graph
}

fn planning(criterion: &mut Criterion) {
    let graphs = [
        ("resnet18", resnet18()),
        ("densenet121", densenet(64, 64, &[6, 12, 24, 16], 32).expect("it fits")),
        ("lstm over 256 steps", lstm(32, 256, 64, 128).expect("it fits")),
    ];
    let devices = [("cpu", PlanOptions::default()), ("gpu", portable_plan_options())];
    let mut group = criterion.benchmark_group("planning");
    group.sample_size(10);
    for (name, graph) in &graphs {
        group.throughput(Throughput::Elements(graph.nodes().len() as u64));
        for (device, options) in &devices {
            group.bench_function(format!("{name}, {device}"), |bencher| {
                bencher.iter(|| Plan::new(graph, options).expect("it can be planned"));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, planning);
criterion_main!(benches);
