//! ONNX' `light` models: real networks of 2017, whose weights are made by ConstantOfShape, on the input that ONNX' own runner makes.

mod support;

use chiaro_cpu::Cpu;
use chiaro_onnx::{Host, OnnxModel};
use support::{difference, light, run, tensor};

#[test]
fn the_light_models_give_the_outputs_that_are_stored_beside_them() {
    let all = light();
    assert_eq!(all.len(), 9);
    let mut failed = vec![];
    for light in &all {
        let judged = || -> Result<Option<String>, String> {
            let model = OnnxModel::parse(light.model.clone().into(), None).map_err(|e| e.to_string())?;
            let n = 3 * 224 * 224;
            let x = Host::floats(&[1, 3, 224, 224], (0..n).map(|i| (f64::from(i) / f64::from(n)) as f32).collect());
            let mut backend = Cpu::new(Some(2)).map_err(|e| e.to_string())?;
            let found = run(&model, &[x], &mut backend)?;
            let wanted = tensor(&light.output).map_err(|e| e.to_string())?;
            Ok(difference(&found[0], &wanted))
        };
        match judged().unwrap_or_else(Some) {
            None => println!("{}: passes", light.name),
            Some(why) => failed.push(format!("{}: {why}", light.name)),
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}
