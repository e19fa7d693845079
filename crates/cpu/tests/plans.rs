//! Graphs that make the planner's decisions matter, fused and plain.

use chiaro_check::plans::plans;
use chiaro_cpu::Cpu;

fn check(open: impl Fn() -> Cpu) {
    for case in plans() {
        let difference = case.difference(&mut open()).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        assert_eq!(difference, None, "{}", case.name);
    }
}

#[test]
fn fused_plans_get_every_decision_right() {
    check(|| Cpu::new(Some(2)).expect("threads"));
}

#[test]
fn plain_plans_get_every_decision_right() {
    check(|| Cpu::unfused(Some(2)).expect("threads"));
}
