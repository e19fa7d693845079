//! What a training step in 16 bits stores: half the bytes, and nothing by accident in more.

use chiaro_gpu::portable_plan_options;
use chiaro_graph::DType;
use chiaro_graph::plan::Plan;
use chiaro_nn::models::by_name;
use chiaro_nn::{Model, Precision, Sgd, TrainOptions, TrainStep};

fn plan(model: &Model, batch: usize, precision: Precision) -> Plan {
    let sgd = Sgd { momentum: 0.9, ..Sgd::default() };
    let options = TrainOptions { precision, ..TrainOptions::new(batch, sgd) };
    let step = TrainStep::build(model, options).expect("the step is recorded");
    Plan::new(&step.graph, &portable_plan_options()).expect("planned")
}

#[test]
fn activations_take_half_the_bytes() {
    for (name, image, batch) in
        [("resnet18", [32, 32, 3], 128), ("small-cnn", [28, 28, 1], 64), ("lenet5", [28, 28, 1], 64)]
    {
        let model = by_name(name, 10, image).expect("fits");
        let (wide, half) = (plan(&model, batch, Precision::F32), plan(&model, batch, Precision::f16()));
        let [was, is] = [&wide, &half].map(|p| p.activation_traffic().iter().map(|t| t.1).sum::<u64>());
        let left = half.activation_traffic().iter().find(|t| t.0 == DType::F32).map_or(0, |t| t.1);
        let share = is as f64 / was as f64;
        println!(
            "{name}: {} and {} calls, {:.2} and {:.2} MB an image ({share:.3}), {:.3} MB of it f32",
            wide.steps.len(),
            half.steps.len(),
            was as f64 / batch as f64 / 1e6,
            is as f64 / batch as f64 / 1e6,
            left as f64 / batch as f64 / 1e6
        );
        // The images themselves are f32, and are read once more to be rounded. Two sums of two norms, which in 16 bits are rounded before they are
        // compared, are too dear to be computed by the convolution behind them (0.508 measured for ResNet-18).
        let images = 3 * (batch * image.iter().product::<usize>() * 4) as u64;
        assert!(is as f64 <= 0.51 * was as f64 + images as f64, "{name}: {share}");
        let [was, is] = [&wide, &half].map(Plan::intermediate_bytes);
        let share = is as f64 / was as f64;
        println!("{name}: intermediates of {:.2} and {:.2} MB ({share:.3})", was as f64 / 1e6, is as f64 / 1e6);
        assert!(share <= 0.6, "{name}: {share}");
        // The two sums, and six calls that only 16 bits have.
        assert!(half.steps.len() <= wide.steps.len() + 8, "{name}: {} calls", half.steps.len());
    }
}

#[test]
fn no_mask_is_stored() {
    for name in ["resnet18", "small-cnn", "tutorial-cnn"] {
        let model = by_name(name, 10, [32, 32, 3]).expect("fits");
        for precision in [Precision::F32, Precision::f16()] {
            let plan = plan(&model, 16, precision);
            let stored = plan.steps.iter().flat_map(|s| &s.operands).filter(|o| o.dtype == DType::Bool);
            let largest = stored.map(|o| o.len).max().unwrap_or(0);
            assert!(largest <= 1, "{name} {precision:?}: a mask of {largest} elements");
        }
    }
}
