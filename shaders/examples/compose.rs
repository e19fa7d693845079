//! Prints the composed WGSL of a product or convolution, to look at or to give to a compiler's statistics:
//! `compose KIND TILE [f16]`, where KIND is matmul, matmul_nt, matmul_tn, conv2d, conv2d_input_grad,
//! conv2d_weight_grad, conv2d_few (3 input channels), strided, strided_input_grad, strided_weight_grad, and TILE a
//! position in `Tile::ALL`, in `Tile::COOPERATIVE` when it begins with `c`, or a name.

use chiaro_shaders::kernels::{Conv2d, MatMul, ShaderKernel};
use chiaro_shaders::{ColumnReduction, Elem, ShaderError, Tile};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, tile, rest @ ..] = &arguments[..] else {
        return Err("usage: compose KIND TILE [f16]".into());
    };
    let number = |text: &str| text.parse::<usize>().ok();
    let tile = match tile.strip_prefix('c').and_then(number) {
        Some(at) => Tile::COOPERATIVE.get(at).copied(),
        None => number(tile).and_then(|at| Tile::ALL.get(at).copied()).or_else(|| Tile::named(tile)),
    };
    let tile = &tile.ok_or("no such tile")?;
    let elem = if rest.iter().any(|r| r == "f16") { Elem::F16 } else { Elem::F32 };
    let kernel = kernel(kind, tile, elem)?.ok_or("no such kind")?;
    println!("{}", kernel.source.build()?);
    Ok(())
}

/// The shapes are ResNet-18's at 32x32, batch 128, and a square product.
fn kernel(kind: &str, tile: &Tile, elem: Elem) -> Result<Option<ShaderKernel>, ShaderError> {
    let mut product = MatMul { out: elem, ..MatMul::new(4096, 4096, 4096) };
    product.a.elem = elem;
    product.b.elem = elem;
    let conv = Conv2d {
        batch: 128,
        input: [16, 16],
        in_channels: 128,
        out_channels: 128,
        kernel: [3, 3],
        stride: [1, 1],
        padding: [[1, 1]; 2],
        dilation: [1, 1],
        groups: 1,
        out: None,
        x: elem,
        w: elem,
        y: elem,
        dx: elem,
        columns: ColumnReduction::None,
        keeps: false,
        fours: false,
    };
    let strided = Conv2d { input: [32, 32], in_channels: 64, stride: [2, 2], ..conv };
    match kind {
        "matmul" => product.kernel(tile, 1),
        "matmul_nt" => {
            product.b.transposed = true;
            product.kernel(tile, 1)
        }
        "matmul_tn" => {
            product.a.transposed = true;
            product.kernel(tile, 1)
        }
        "conv2d" => conv.forward(tile),
        "conv2d_few" => Conv2d { in_channels: 3, input: [32, 32], ..conv }.forward(tile),
        "conv2d_input_grad" => conv.input_grad(tile),
        "conv2d_weight_grad" => conv.weight_grad(tile, 16),
        "strided" => strided.forward(tile),
        "strided_input_grad" => strided.input_grad(tile),
        "strided_weight_grad" => strided.weight_grad(tile, 16),
        _ => return Ok(None),
    }
    .map(Some)
}
