//! Workloads as criterion benchmarks, on the device that `CHIARO_BENCH_DEVICE` names (`cpu` if absent).

use std::time::{Duration, Instant};

use chiaro::graph::plan::{Plan, PlanOptions};
use chiaro::{DType, Device, DeviceOptions};
use chiaro_bench::{Session, Workload};
use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};

/// Work above which `--test`, which only sees that everything runs, leaves a workload out.
const TEST_FLOPS: u64 = 300_000_000;
const TEST_BYTES: u64 = 100_000_000;

/// Measures every workload under the name of its group.
pub fn bench(criterion: &mut Criterion, group: &str, workloads: Vec<Workload>) {
    let name = std::env::var("CHIARO_BENCH_DEVICE").unwrap_or_else(|_| "cpu".to_string());
    let testing = std::env::args().any(|argument| argument == "--test");
    let mut group = criterion.benchmark_group(group);
    group.sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(500));
    for workload in workloads {
        let plan = Plan::new(workload.graph(), &PlanOptions::default()).expect("the workload can be planned");
        if testing && (plan.flops() > TEST_FLOPS || plan.moved_bytes() > TEST_BYTES) {
            continue;
        }
        // Not every device stores f16; whatever else fails is a failure.
        if workload.dtype == DType::F16
            && let Err(error) = ready(&name, &workload)
        {
            eprintln!("{}: left out: {error}", workload.name);
            continue;
        }
        // Images of a step; else the operations of a kernel that has any, else its bytes.
        group.throughput(match workload.images {
            Some(images) => Throughput::Elements(images as u64),
            None if plan.flops() > 0 => Throughput::Elements(plan.flops()),
            None => Throughput::Bytes(plan.moved_bytes()),
        });
        one(&mut group, &name, &workload);
    }
    group.finish();
}

/// A workload ready on a device of its own, so that no other's buffers fill the memory.
fn ready(name: &str, workload: &Workload) -> Result<(Device, Session), Box<dyn std::error::Error>> {
    let mut device = Device::by_name(name, &DeviceOptions::default())?;
    let session = Session::new(device.backend(), workload)?;
    session.run(device.backend(), 1)?;
    Ok((device, session))
}

/// Measures one workload. Criterion calls the closure for every sample, and not at all where its filter leaves it out.
fn one(group: &mut BenchmarkGroup<'_, WallTime>, device: &str, workload: &Workload) {
    let mut made = None;
    group.bench_function(&workload.name, |bencher| match made.get_or_insert_with(|| ready(device, workload)) {
        // Waiting for each run would measure the wait.
        Ok((device, session)) => bencher.iter_custom(|runs| {
            let started = Instant::now();
            session.run(device.backend(), runs).expect("the workload runs");
            started.elapsed()
        }),
        Err(error) => panic!("{}: {error}", workload.name),
    });
}
