//! The tables hold what they should, and their workloads run.

use std::collections::HashSet;

use chiaro_bench::{Group, Session, kernels, steps, workloads};
use chiaro_graph::plan::{Plan, PlanOptions};
use chiaro_graph::{Backend, DType};

#[test]
fn names_are_unique_and_every_kernel_family_is_there() {
    let all = workloads().expect("the shapes fit");
    let names: HashSet<&str> = all.iter().map(|w| w.name.as_str()).collect();
    assert_eq!(names.len(), all.len());
    let mut kinds = HashSet::new();
    for workload in &all {
        let plan = Plan::new(workload.graph(), &PlanOptions::default()).expect("it fits");
        kinds.extend(plan.steps.iter().map(|s| s.kernel.name()));
    }
    for kind in [
        "MatMul",
        "Conv2d",
        "Conv2dInputGrad",
        "Conv2dWeightGrad",
        "Pointwise",
        "Reduce",
        "MaxPool2d",
        "MaxPool2dGrad",
        "Softmax",
        "CrossEntropy",
        "CrossEntropyGrad",
        "Moments",
        "ArgReduce",
    ] {
        assert!(kinds.contains(kind), "{kind} is not among {kinds:?}");
    }
}

#[test]
fn a_kernel_workload_is_that_kernel_and_its_work_is_counted() {
    let all = kernels().expect("the shapes fit");
    let find = |name: &str| all.iter().find(|w| w.name == name).expect("in the table");
    for (name, flops) in [
        ("matmul 1024", 2 * 1024u64.pow(3)),
        ("conv resnet18-224 224x224 3-64 7x7/2 fwd", 2 * 32 * 112 * 112 * 64 * 7 * 7 * 3),
        ("conv resnet18 8x8 256-512 1x1/2 dw", 2 * 32 * 4 * 4 * 512 * 256),
        ("sum of all 16M", 0),
    ] {
        let plan = Plan::new(find(name).graph(), &PlanOptions::default()).expect("it fits");
        assert_eq!((plan.steps.len(), plan.flops()), (1, flops), "{name}");
    }
}

#[test]
fn small_workloads_run_and_their_calls_are_timed() {
    for workload in kernels().expect("the shapes fit").into_iter().chain(steps().expect("the shapes fit")) {
        if !["matmul 256", "dense 128-10 batch 64 dw", "step lenet5 batch 128"].contains(&workload.name.as_str()) {
            continue;
        }
        assert_eq!(workload.images.is_some(), workload.group == Group::Step);
        assert_eq!(workload.dtype, DType::F32);
        let mut cpu = chiaro_cpu::Cpu::new(Some(1)).expect("a thread");
        let session = Session::new(&mut cpu, &workload).expect("it fits");
        session.run(&mut cpu, 2).expect("it runs");
        let profile = session.profile(&mut cpu).expect("the CPU times its calls");
        let calls = session.calls(&cpu).expect("it tells them");
        assert_eq!(profile.calls.iter().map(|c| c.call.clone()).collect::<Vec<_>>(), calls);
        assert!(profile.call_seconds() > 0.0 && cpu.stats().submissions == 3);
    }
}
