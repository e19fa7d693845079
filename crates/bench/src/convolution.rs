//! Convolutions of the small CNN, of ResNet-18 on 32x32 and of ResNet-18 on 224x224, each in its three directions.

use chiaro_graph::{ConvSpec, DType, Graph, Var};
use chiaro_nn::Result;

use crate::resident::kernel;
use crate::workload::{Group, Workload};

/// Images of a batch; rows of other batches have theirs in their name.
const BATCH: usize = 32;

/// The batch that training steps are compared at.
const LARGE_BATCH: usize = 128;

/// Image side, channels in and out, kernel extent, stride.
type LayerShape = (usize, usize, usize, usize, usize);

const SMALL_CNN: &[LayerShape] = &[(28, 1, 16, 3, 1), (14, 16, 32, 3, 1), (7, 32, 64, 3, 1)];

/// On 32x32 the network has no stem that shrinks the image.
const RESNET18_32: &[LayerShape] = &[
    (32, 3, 64, 3, 1),
    (32, 64, 64, 3, 1),
    (32, 64, 128, 3, 2),
    (32, 64, 128, 1, 2),
    (16, 128, 128, 3, 1),
    (16, 128, 256, 3, 2),
    (16, 128, 256, 1, 2),
    (8, 256, 256, 3, 1),
    (8, 256, 512, 3, 2),
    (8, 256, 512, 1, 2),
    (4, 512, 512, 3, 1),
];

const RESNET18_224: &[LayerShape] = &[
    (224, 3, 64, 7, 2),
    (56, 64, 64, 3, 1),
    (56, 64, 128, 3, 2),
    (56, 64, 128, 1, 2),
    (28, 128, 128, 3, 1),
    (28, 128, 256, 3, 2),
    (28, 128, 256, 1, 2),
    (14, 256, 256, 3, 1),
    (14, 256, 512, 3, 2),
    (14, 256, 512, 1, 2),
    (7, 512, 512, 3, 1),
];

pub(crate) fn all() -> Result<Vec<Workload>> {
    let mut all = vec![];
    let networks = [("small-cnn", SMALL_CNN), ("resnet18", RESNET18_32), ("resnet18-224", RESNET18_224)];
    for (network, shapes) in networks {
        for shape in shapes {
            all.extend(directions(network, BATCH, *shape, 1, DType::F32)?);
        }
    }
    all.extend(directions("depthwise", BATCH, (28, 128, 128, 3, 1), 128, DType::F32)?);
    for shape in [(32, 64, 64, 3, 1), (8, 256, 256, 3, 1)] {
        all.extend(directions("resnet18", BATCH, shape, 1, DType::F16)?);
    }
    for dtype in [DType::F32, DType::F16] {
        for shape in RESNET18_32 {
            all.extend(directions("resnet18", LARGE_BATCH, *shape, 1, dtype)?);
        }
    }
    Ok(all)
}

/// Forward, input gradient and weight gradient.
fn directions(network: &str, batch: usize, shape: LayerShape, groups: usize, dtype: DType) -> Result<[Workload; 3]> {
    let (size, from, to, extent, stride) = shape;
    let spec = ConvSpec { stride: [stride; 2], padding: [extent / 2; 4], groups, ..ConvSpec::default() };
    let out = (size + 2 * (extent / 2) - extent) / stride + 1;
    let x = [batch, size, size, from];
    let w = [to, extent, extent, from / groups];
    let y = [batch, out, out, to];
    let images = if batch == BATCH { String::new() } else { format!(" b{batch}") };
    let half = if dtype == DType::F16 { " f16" } else { "" };
    let name = |direction: &str| {
        format!("conv {network} {size}x{size} {from}-{to} {extent}x{extent}/{stride} {direction}{images}{half}")
    };
    let gradient = |wrt: usize| {
        let spec = spec.clone();
        move |g: &mut Graph, v: &[Var]| {
            let result = g.conv2d(v[0], v[1], &spec)?;
            Ok(g.grad(result, Some(v[2]), &[v[wrt]])?[0])
        }
    };
    let forward = spec.clone();
    Ok([
        kernel(Group::Convolution, &name("fwd"), dtype, &[&x, &w], |g, v| g.conv2d(v[0], v[1], &forward))?,
        kernel(Group::Convolution, &name("dx"), dtype, &[&x, &w, &y], gradient(0))?,
        kernel(Group::Convolution, &name("dw"), dtype, &[&x, &w, &y], gradient(1))?,
    ])
}
