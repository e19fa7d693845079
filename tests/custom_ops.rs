//! Ops of one's own that are written wrong, or whose names meet those of generated code.

mod support;

use chiaro::graph::plan::{Plan, PlanOptions};
use chiaro::graph::{CustomOp, Elements, ElementsMut, Result, TensorType};
use chiaro::{Backend, DType, Graph, Tensor, Var};

/// What a test makes wrong.
#[derive(Clone, Copy, Debug, Default)]
struct Twice {
    name: Option<&'static str>,
    gradient: Wrong,
    selects: Option<usize>,
    /// The kernel reads far behind its operand.
    beyond: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Wrong {
    #[default]
    Nothing,
    TooFew,
    Shape,
    Type,
}

impl CustomOp for Twice {
    fn name(&self) -> &'static str {
        "twice"
    }

    fn operands(&self) -> Vec<&'static str> {
        vec![self.name.unwrap_or("operand3"), "x"]
    }

    fn infer(&self, operands: &[TensorType]) -> std::result::Result<TensorType, String> {
        Ok(operands[0].clone())
    }

    fn indices(&self, operands: &[TensorType]) -> Vec<(usize, usize)> {
        self.selects.map(|at| (at, operands[0].len())).into_iter().collect()
    }

    fn reads(&self, _: &[TensorType], _: &TensorType) -> Vec<usize> {
        vec![1, 2]
    }

    fn gradient(
        &self,
        g: &mut Graph,
        operands: &[Var],
        _: Var,
        d: Var,
        _: &dyn Fn(Var) -> bool,
    ) -> Result<Vec<Option<Var>>> {
        let part = match self.gradient {
            Wrong::Nothing => g.add(d, d)?,
            Wrong::TooFew => return Ok(vec![]),
            Wrong::Shape => g.sum_all(d)?,
            Wrong::Type => g.cast(d, DType::I32)?,
        };
        assert_eq!(operands.len(), 2);
        Ok(vec![Some(part), None])
    }

    fn reference(&self, operands: &[(&TensorType, &[f64])], _: &TensorType) -> Vec<f64> {
        operands[0].1.iter().map(|v| 2.0 * v).collect()
    }

    fn compute(&self, operands: &[(&TensorType, Elements<'_>)], _: usize, result: ElementsMut<'_>) {
        if let (Elements::F32(x), ElementsMut::F32(out)) = (operands[0].1, result) {
            out.iter_mut().zip(x).for_each(|(o, x)| *o = 2.0 * x);
        }
    }

    fn wgsl(&self, _: &[TensorType], _: &TensorType) -> String {
        if self.beyond {
            return "fn element(index: u32) -> f32 { return operand3[index + 100000000u] + 0.0 * x[index]; }".into();
        }
        // Names that generated code has too, with other bodies.
        "
fn is_nan(x: f32) -> bool {
    return false;
}
fn op_relu_f32(x: f32) -> f32 {
    return select(2.0 * x, 0.0, is_nan(x));
}
fn element(index: u32) -> f32 {
    return op_relu_f32(operand3[index]) + 0.0 * x[0];
}
"
        .into()
    }
}

fn graph() -> (Graph, [Var; 2]) {
    let mut g = Graph::new();
    let values = [("a", 6), ("b", 6)].map(|(name, n)| g.input(name, &[n], DType::F32).expect("new"));
    (g, values)
}

#[test]
fn a_gradient_that_does_not_fit_its_operands_is_refused_by_name() {
    for (gradient, part) in [
        (Wrong::TooFew, "0 parts for 2 operands"),
        (Wrong::Shape, "must be f32 as its operand"),
        (Wrong::Type, "must be f32 as its operand, not i32"),
    ] {
        let (mut g, [a, b]) = graph();
        let y = g.custom(Twice { gradient, ..Twice::default() }, &[a, b]).expect("recorded");
        let y = g.sum_all(y).expect("a sum");
        let error = g.grad(y, None, &[a]).expect_err("refused").to_string();
        assert!(error.contains("the gradient of twice") && error.contains(part), "{error}");
    }
}

#[test]
fn names_that_cannot_be_arrays_and_operands_that_are_not_there_are_refused() {
    for name in ["", "a b", "result", "index", "element", "x", "7a", "tür"] {
        let (mut g, [a, b]) = graph();
        let error = g.custom(Twice { name: Some(name), ..Twice::default() }, &[a, b]).expect_err("refused").to_string();
        assert!(error.contains("cannot be the name of an operand"), "{name}: {error}");
    }
    let (mut g, [a, b]) = graph();
    let error = g.custom(Twice { selects: Some(5), ..Twice::default() }, &[a, b]).expect_err("refused").to_string();
    assert!(error.contains("operand 5"), "{error}");
}

#[test]
fn what_follows_an_op_is_fused_into_it_whatever_its_own_names_are() {
    let mut devices: Vec<Box<dyn Backend>> = vec![Box::new(support::cpu())];
    devices.extend(support::gpu().map(|gpu| Box::new(gpu) as Box<dyn Backend>));
    for mut device in devices {
        let (mut g, [a, b]) = graph();
        let y = g.custom(Twice::default(), &[a, b]).expect("recorded");
        let y = g.relu(y).and_then(|y| g.add(y, b)).expect("recorded");
        g.output("y", y).expect("new");
        let plan = device.compile(&g).expect("compiled");
        let inputs = [[-1.0, 2.0, -3.0, 4.0, 0.0, 5.0], [1.0; 6]].map(|v| Tensor::f32([6], v.to_vec()).expect("six"));
        device.run(plan, &inputs).expect("a step");
        assert_eq!(device.read(plan, 0).expect("y").to_f64(), [1.0, 5.0, 1.0, 9.0, 1.0, 11.0]);
    }
}

#[test]
fn an_op_that_reads_beyond_its_operand_gets_nothing_or_what_is_there() {
    let Some(mut device) = support::gpu() else { return };
    let (mut g, [a, b]) = graph();
    let y = g.custom(Twice { beyond: true, ..Twice::default() }, &[a, b]).expect("recorded");
    g.output("y", y).expect("new");
    let plan = device.compile(&g).expect("compiled");
    device.run(plan, &[7.0, 1.0].map(|v| Tensor::f32([6], vec![v; 6]).expect("six"))).expect("a step");
    let read = device.read(plan, 0).expect("y").to_f64();
    assert!(read.iter().all(|&v| v == 0.0 || v == 7.0), "{read:?}");
}

#[test]
fn bytes_that_an_op_leaves_alone_are_counted_once_for_each_operand() {
    let (mut g, [a, _]) = graph();
    let y = g.custom(Twice::default(), &[a, a]).expect("recorded");
    g.output("y", y).expect("new");
    let plan = Plan::new(&g, &PlanOptions::default()).expect("a plan");
    let step = plan.steps.iter().find(|step| step.kernel.name() == "twice").expect("the call");
    // Of the operand, given twice, two elements are read; six are written.
    assert_eq!(step.bytes(), (2 + 6) * 4);
}
