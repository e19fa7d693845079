//! The 32-bit closures of the elementwise table against the 64-bit ones, row by row.

use chiaro_check::Draw;
use chiaro_check::compare::elementwise_violation;
use chiaro_graph::{Class, DType, Elementwise};

const COUNT: usize = 4096;

/// Operands of a row: its interval for floats, conditions and truth values as 0 or 1.
fn operands(op: Elementwise) -> Vec<(Vec<f64>, bool)> {
    let [low, high] = op.sample_interval();
    let draw = |i: usize| match op.class() {
        Class::Logic => (Draw::Bools, true),
        Class::Select if i == 0 => (Draw::Bools, true),
        Class::Compare => (Draw::Ties(0.5), false),
        Class::Float | Class::Number | Class::Select | Class::Check => (Draw::Uniform(low, high), false),
    };
    let seed = chiaro_check::seed(op.name());
    let one = |i: usize| {
        let (draw, truth) = draw(i);
        (draw.tensor(seed, i as u32, &[COUNT], DType::F32).to_f64(), truth)
    };
    (0..op.operands().len()).map(one).collect()
}

#[test]
fn every_row_gives_in_32_bits_what_it_gives_in_64() {
    for &op in Elementwise::ALL {
        let operands = operands(op);
        let bits = |v: f64, truth: bool| if truth { v as u32 } else { (v as f32).to_bits() };
        let mut lanes: Vec<Vec<u32>> =
            operands.iter().map(|(values, truth)| values.iter().map(|&v| bits(v, *truth)).collect()).collect();
        lanes.resize(3, vec![0; COUNT]);
        let mut out = vec![0; COUNT];
        op.map_lanes(DType::F32, &lanes[0], &lanes[1], &lanes[2], &mut out);
        let truth = matches!(op.class(), Class::Compare | Class::Logic | Class::Check);
        let found: Vec<f64> =
            out.iter().map(|&w| if truth { f64::from(w) } else { f64::from(f32::from_bits(w)) }).collect();
        let expected: Vec<f64> = (0..COUNT)
            .map(|i| {
                let mut at = [0.0; 3];
                operands.iter().zip(&mut at).for_each(|((values, _), slot)| *slot = values[i]);
                op.eval_f64(at)
            })
            .collect();
        let wrong = elementwise_violation(&found, &expected, 1e-6, 1e-5);
        assert!(wrong.is_none(), "{}: {wrong:?}", op.name());
        assert!(expected.iter().any(|v| *v != expected[0]) || op == Elementwise::IsFinite, "{} is constant", op.name());
    }
}
