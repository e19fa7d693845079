//! scratch
use chiaro_graph::plan::*;
use chiaro_nn::*;
#[test]
fn show() {
    let name = std::env::var("M").unwrap();
    let gpu = std::env::var("GPU").is_ok();
    let (n, image) = match name.as_str() {
        "mnist-cnn" => (64, [28, 28, 1]),
        "tutorial-cnn" => (32, [64, 64, 3]),
        "small-cnn" => (64, [28, 28, 1]),
        "resnet18" => (if gpu { 128 } else { 32 }, [32, 32, 3]),
        _ => (32, [32, 32, 3]),
    };
    let model = models::by_name(&name, 10, image).unwrap();
    let opt = if name.starts_with("resnet") {
        Optimizer::Sgd(Sgd { momentum: 0.9, ..Sgd::default() })
    } else {
        Optimizer::Adam(Adam::default())
    };
    let step = TrainStep::build(&model, TrainOptions::new(n, opt)).unwrap();
    let t = std::time::Instant::now();
    let o = if gpu {
        PlanOptions { alignment: 64, inline_broadcasts: true, ..PlanOptions::default() }
    } else {
        PlanOptions { max_operands: 64, alignment: 16, ..PlanOptions::default() }
    };
    let plan = Plan::new(&step.graph, &o).unwrap();
    println!("plan {:?} nodes {}", t.elapsed(), step.graph.nodes().len());
    for s in &plan.steps {
        println!(
            "{:20} {:44} {:?} {:.3} MB/img {}",
            s.kernel.name(),
            s.label,
            s.program.domain,
            s.bytes() as f64 / n as f64 / 1e6,
            s.operands
                .iter()
                .map(|o| format!(
                    "{}@{}+{}{}",
                    o.buffer,
                    o.offset,
                    o.len,
                    match o.access {
                        Access::Read => "r",
                        Access::Write => "w",
                        _ => "rw",
                    }
                ))
                .collect::<Vec<_>>()
                .join(" ")
        );
        if std::env::var("V").is_ok() {
            println!(
                "      {:?} stores {:?}",
                s.program.instrs,
                s.program.stores.iter().map(|s| (s.operand, s.reg)).collect::<Vec<_>>()
            );
        }
    }
    println!(
        "steps {} bytes/img {:.2} MB intermediate {:.1} MB unshared {:.1} ratio {:.3}",
        plan.steps.len(),
        plan.moved_bytes() as f64 / n as f64 / 1e6,
        plan.intermediate_bytes() as f64 / 1e6,
        plan.unshared_bytes as f64 / 1e6,
        plan.intermediate_bytes() as f64 / plan.unshared_bytes as f64
    );
}
