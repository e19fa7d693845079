//! Random graphs on the CPU backend, fused and plain.

use chiaro_check::fuzz::{Executor, compare, question};
use chiaro_cpu::Cpu;
use std::collections::BTreeMap;

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
    std::panic::set_hook(Box::new(|_| {}));
    let n: u64 = std::env::var("N").ok().and_then(|s| s.parse().ok()).unwrap_or(50);
    let s: u64 = std::env::var("S").ok().and_then(|s| s.parse().ok()).unwrap_or(0);
    let mut tally = chiaro_check::fuzz::Tally::default();
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    let (mut nodes, mut tg) = (0, 0.0);
    let t0 = std::time::Instant::now();
    for seed in s..s + n {
        let t = std::time::Instant::now();
        let q = question(seed);
        let gen_t = t.elapsed().as_secs_f64();
        tg += gen_t;
        nodes += q.graph.nodes().len();
        for e in [cpu(true), cpu(false)] {
            match compare(&e, &q, seed) {
                Ok(o) => {
                    tally.add(o.tally);
                    if o.tally.left_out * 3 > o.tally.elements { println!("{seed} left out {:?}", o.tally); }
                }
                Err(f) => {
                    println!("{seed} {} nodes {}: {f}", e.name, q.graph.nodes().len());
                    *kinds.entry(format!("{} {}", e.name, f.kind())).or_default() += 1;
                }
            }
        }
        let all = t.elapsed().as_secs_f64();
        if all > 1.0 { println!("{seed} took {all:.2} ({gen_t:.2} gen), {} nodes", q.graph.nodes().len()); }
    }
    println!("{tally:?} {kinds:?} nodes/graph {} gen {tg:.1} total {:.1}", nodes / n as usize, t0.elapsed().as_secs_f64());
}
