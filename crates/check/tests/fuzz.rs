//! Random graphs on the CPU backend, fused and plain.

use chiaro_check::fuzz::{Executor, Options, fuzz};
use chiaro_cpu::Cpu;

fn cpu<'a>(fused: bool) -> Executor<'a> {
    let open = move |n: usize| {
        let threads = Some(1 + n);
        let cpu = if fused { Cpu::new(threads)? } else { Cpu::unfused(threads)? };
        Ok(Box::new(cpu) as Box<dyn chiaro_graph::Backend>)
    };
    Executor { name: format!("CPU {}", if fused { "fused" } else { "plain" }), open: Box::new(open) }
}

#[test]
#[ignore]
fn look() {
    if std::env::var("LOUD").is_err() {
        std::panic::set_hook(Box::new(|_| {}));
    }
    let env = |k: &str, d: u64| std::env::var(k).ok().and_then(|s| s.parse().ok()).unwrap_or(d);
    let s = env("S", 0);
    let options = Options { failures: env("F", 5) as usize, tries: env("T", 1000) as usize };
    let mut shown = 0;
    let t0 = std::time::Instant::now();
    let report = fuzz(&[cpu(true), cpu(false)], s..s + env("N", 100), options, &mut |r| {
        r.failures[shown..].iter().for_each(|f| println!("{f}"));
        shown = r.failures.len();
    });
    println!("{}", report.coverage);
    println!(
        "{} graphs {:?} {} failures, {:.1} s",
        report.graphs,
        report.tallies,
        report.failures.len(),
        t0.elapsed().as_secs_f64()
    );
}
