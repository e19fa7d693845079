//! The gradient of a small function, and the same by central differences.
//!
//! `cargo run --release --example gradients`

use chiaro::graph::Elementwise;
use chiaro::{DType, Device, DeviceOptions, Graph, Tensor, evaluate};

/// Sum of tanh(x w)^2 for x [2,3] and w [3,2], and its gradients with respect to both.
fn build() -> chiaro::graph::Result<Graph> {
    let mut g = Graph::new();
    let x = g.input("x", &[2, 3], DType::F32)?;
    let w = g.input("w", &[3, 2], DType::F32)?;
    let product = g.matmul(x, w, false, false)?;
    let y = g.unary(Elementwise::Tanh, product)?;
    let squared = g.unary(Elementwise::Square, y)?;
    let sum = g.sum_all(squared)?;
    let gradients = g.grad(sum, None, &[x, w])?;
    g.output("sum", sum)?;
    g.output("gradient of x", gradients[0])?;
    g.output("gradient of w", gradients[1])?;
    Ok(g)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let graph = build()?;
    // The reference computes in 64 bits, so that differences of nearby values keep enough digits.
    let mut device = Device::by_name("reference", &DeviceOptions::default())?;
    let inputs = [
        Tensor::f32([2, 3], vec![0.5, -1.0, 0.25, 1.5, 0.75, -0.5]).ok_or("six elements")?,
        Tensor::f32([3, 2], vec![0.125, -0.25, 1.0, 0.5, -0.75, 0.375]).ok_or("six elements")?,
    ];
    let outputs = evaluate(device.backend(), &graph, &inputs)?;
    println!("sum = {:.6}", outputs[0].to_f64()[0]);

    let h = 1.0 / 256.0;
    let mut worst: f64 = 0.0;
    for (which, name) in ["x", "w"].iter().enumerate() {
        for (i, analytic) in outputs[1 + which].to_f64().into_iter().enumerate() {
            let mut moved = |by: f64| -> Result<f64, Box<dyn std::error::Error>> {
                let mut values = inputs[which].to_f64();
                values[i] += by;
                let mut changed = inputs.clone();
                changed[which] = Tensor::from_f64(inputs[which].shape(), DType::F32, &values).ok_or("same shape")?;
                Ok(evaluate(device.backend(), &graph, &changed)?[0].to_f64()[0])
            };
            let difference = (moved(h)? - moved(-h)?) / (2.0 * h);
            println!("{name}[{i}]: gradient {analytic:+.6}, difference {difference:+.6}");
            worst = worst.max((analytic - difference).abs());
        }
    }
    println!("largest difference {worst:.1e}");
    if worst > 1e-4 {
        return Err(format!("gradients and differences disagree by {worst}").into());
    }
    Ok(())
}
