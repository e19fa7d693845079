//! Every kernel of every op case, without a device: validated by naga and translated to the languages of all platforms.

use std::collections::HashSet;

use chiaro_graph::plan::{Plan, PlanOptions};
use chiaro_shaders::validate;

use super::{Variants, dispatches, scratch_on_gpu, scratch_on_software};

fn options(variants: &Variants, fuse: bool) -> PlanOptions {
    PlanOptions {
        alignment: 64,
        inline_broadcasts: true,
        scratch: if *variants == Variants::SOFTWARE { scratch_on_software } else { scratch_on_gpu },
        fuse,
        ..PlanOptions::default()
    }
}

/// Checks the kernels of a graph that were not `seen` yet.
fn check(name: &str, graph: &chiaro_graph::Graph, variants: &Variants, fuse: bool, seen: &mut HashSet<String>) {
    let plan = Plan::new(graph, &options(variants, fuse)).unwrap_or_else(|e| panic!("{name}: {e}"));
    for step in &plan.steps {
        let made = dispatches(step, variants).unwrap_or_else(|e| panic!("{name}: {}: {e}", step.label));
        for dispatch in made {
            if seen.contains(&dispatch.wgsl) {
                continue;
            }
            let text = &dispatch.wgsl;
            let checked = validate::check(text, &[]).unwrap_or_else(|e| panic!("{name}: {e}\n{text}"));
            assert_eq!(checked.storage_buffers(), dispatch.parts.len(), "{name}\n{text}");
            assert!(checked.storage_buffers() <= 9, "{name}: {} buffers\n{text}", checked.storage_buffers());
            let translated = checked.spirv().and_then(|_| checked.msl()).and_then(|_| checked.hlsl());
            assert!(translated.is_ok(), "{name}: {translated:?}\n{text}");
            seen.insert(dispatch.wgsl);
        }
    }
}

#[test]
fn every_kernel_of_every_case_translates_everywhere() {
    let mut seen = HashSet::new();
    for case in chiaro_check::cases() {
        let all: Vec<usize> = (0..case.inputs.len()).filter(|&i| case.inputs[i].differentiable).collect();
        let backward = case.has_gradient().expect("a case").then(|| case.backward(&all).expect("a case"));
        let graphs = [Some(case.forward().expect("a case")), backward];
        for graph in graphs.iter().flatten() {
            for (variants, fuse) in [(Variants::GPU, true), (Variants::GPU, false), (Variants::SOFTWARE, true)] {
                check(&case.name, graph, &variants, fuse, &mut seen);
            }
        }
    }
    assert!(seen.len() > 500, "{} kernels", seen.len());
}
