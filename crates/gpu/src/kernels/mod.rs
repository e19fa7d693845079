//! Steps of a plan as dispatches: each file here maps the geometry of one kernel family to its shader.

mod axis;
mod class;
mod columns;
mod conv;
mod custom;
mod gemm;
mod pointwise;
mod pool;
mod reduce;
mod rows;
mod split;
#[cfg(test)]
mod tests;
mod units;
mod variants;
mod winograd;

use chiaro_graph::DType;
use chiaro_graph::plan::{Columns, Kernel, PlanOptions, Product, ProductKernel, Step};
use chiaro_shaders::kernels::AlongAxis;
use chiaro_shaders::{Elem, ShaderError, Tile, dispatch};

use crate::codegen::Composed;
use crate::{KernelSource, codegen};
pub(crate) use class::DeviceClass;
pub(crate) use columns::of as reduced_columns;
pub use units::of as compute_units;
pub(crate) use variants::{Transformed, VariantChoice, Variants};

/// 32-bit elements to which operands are aligned, 256 bytes: arenas are laid out so, and no adapter asks for more.
const ALIGNMENT: usize = 64;

/// What a binding of a dispatch refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// An operand of the step.
    Operand(usize),
    /// The step's scratch.
    Scratch,
    /// `len` elements of the scratch from `first` on.
    Within { first: usize, len: usize },
}

/// One kernel to compile and to dispatch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dispatch {
    /// The whole WGSL.
    pub wgsl: String,
    /// What is bound, in the order of binding numbers.
    pub parts: Vec<Part>,
    /// Workgroups in x, y and z.
    pub workgroups: [u32; 3],
    /// What it does of a step that has several stages; else the first dispatch is the kernel, and later ones add up its parts.
    pub stage: Option<&'static str>,
    /// The product of such a stage, and its tile.
    pub product: Option<(Product, Tile)>,
}

impl Dispatch {
    fn new(composed: Composed, workgroups: [u32; 3]) -> Dispatch {
        let mut dispatch = Dispatch::of_operands(composed.text, &composed.binds, workgroups);
        dispatch.parts.extend(composed.scratch.then_some(Part::Scratch));
        dispatch
    }

    fn of_operands(wgsl: String, operands: &[usize], workgroups: [u32; 3]) -> Dispatch {
        let parts = operands.iter().map(|&i| Part::Operand(i)).collect();
        Dispatch { wgsl, parts, workgroups, stage: None, product: None }
    }

    fn named(self, stage: &'static str) -> Dispatch {
        Dispatch { stage: Some(stage), ..self }
    }
}

/// The dispatches of a step, in order.
///
/// # Errors
/// A shape that the kernel cannot take.
pub(crate) fn dispatches(step: &Step, variants: &Variants) -> Result<Vec<Dispatch>, ShaderError> {
    if let Some(transformed) = winograd::dispatches(step, variants)? {
        return Ok(transformed);
    }
    match &step.kernel {
        Kernel::Pointwise => pointwise::dispatches(step),
        Kernel::Reduce { prologue, kept, results } => reduce::dispatches(step, prologue, *kept, results, variants),
        Kernel::MatMul(shape) => gemm::dispatches(step, shape, variants),
        Kernel::Conv2d(shape) => conv::forward(step, shape, variants),
        Kernel::Conv2dInputGrad(shape) => conv::input_grad(step, shape, variants),
        Kernel::Conv2dWeightGrad(shape) => conv::weight_grad(step, shape, variants),
        Kernel::MaxPool2d(shape) => pool::max(step, shape, variants),
        Kernel::MaxPool2dIndex(shape) => pool::max_index(step, shape),
        Kernel::MaxPool2dGrad(shape) => pool::max_grad(step, shape, variants),
        Kernel::AvgPool2d(shape, by) => pool::average(step, shape, *by, variants),
        Kernel::AvgPool2dGrad(shape, by) => pool::average_grad(step, shape, *by, variants),
        Kernel::Softmax { rows, n, log } => rows::softmax(step, *rows, *n, *log),
        Kernel::CrossEntropy { spec, rows, classes, weighted } => {
            rows::cross_entropy(step, [*rows, *classes], spec, *weighted)
        }
        Kernel::CrossEntropyGrad { spec, rows, classes, weighted } => {
            rows::cross_entropy_grad(step, [*rows, *classes], spec, *weighted)
        }
        Kernel::Moments { axis, rows, columns } => rows::moments(step, *axis, *rows, *columns),
        Kernel::ArgReduce(kind, shape) => axis::arg_reduce(step, *kind, shape),
        Kernel::Gather(shape) => axis::picking(step, shape, AlongAxis::gather),
        Kernel::ScatterAdd(shape) => axis::adding(step, shape, AlongAxis::scatter_add),
        Kernel::IndexSelect(shape) => axis::picking(step, shape, AlongAxis::index_select),
        Kernel::IndexAdd(shape) => axis::adding(step, shape, AlongAxis::index_add),
        Kernel::Custom(call) => custom::dispatches(step, call),
    }
}

/// A dispatch of a step to be compiled, `label` its name in messages.
pub(crate) fn source(step: &Step, dispatch: &Dispatch, label: String) -> KernelSource {
    let wgsl = dispatch.wgsl.as_str();
    // What comes from outside may index anywhere.
    let own = !matches!(step.kernel, Kernel::Custom(_));
    if own { KernelSource::own(label, wgsl) } else { KernelSource::new(label, wgsl) }
}

/// The tile that a step's matrix product or convolution gets; none for other kernels.
pub(crate) fn tile(step: &Step, variants: &Variants) -> Option<Tile> {
    match step.kernel.as_product()? {
        ProductKernel::MatMul(shape) => (shape.k > 0).then(|| gemm::tile(shape, step.columns.is_some(), variants)),
        ProductKernel::Conv2d(shape) | ProductKernel::InputGrad(shape) | ProductKernel::WeightGrad(shape)
            if shape.is_depthwise() =>
        {
            None
        }
        ProductKernel::Conv2d(shape) => Some(conv::forward_tile(shape, variants)),
        ProductKernel::InputGrad(shape) => Some(conv::input_grad_tile(shape, variants)),
        ProductKernel::WeightGrad(shape) => Some(conv::weight_grad_tile(shape, variants)),
    }
}

/// f32 elements of scratch that a kernel needs in these variants.
pub(crate) fn scratch(kernel: &Kernel, reduced: Option<&Columns>, variants: &Variants) -> usize {
    plain_scratch(kernel, reduced, variants).max(winograd::scratch(kernel, reduced, variants))
}

/// That of a kernel which is not transformed.
fn plain_scratch(kernel: &Kernel, reduced: Option<&Columns>, variants: &Variants) -> usize {
    if reduced.is_some() {
        return columns::scratch(kernel, reduced, variants);
    }
    match kernel {
        Kernel::Reduce { prologue, kept, results } => reduce::scratch(prologue, *kept, results.len()),
        Kernel::MatMul(shape) => gemm::scratch(shape, variants),
        Kernel::Conv2dWeightGrad(shape) => conv::scratch(shape, variants),
        Kernel::Moments { axis, rows, columns } => rows::scratch(*axis, *rows, *columns),
        Kernel::MaxPool2dGrad(shape) => pool::scratch(shape, variants),
        Kernel::Pointwise
        | Kernel::Conv2d(_)
        | Kernel::Conv2dInputGrad(_)
        | Kernel::MaxPool2d(_)
        | Kernel::MaxPool2dIndex(_)
        | Kernel::AvgPool2d(..)
        | Kernel::AvgPool2dGrad(..)
        | Kernel::Softmax { .. }
        | Kernel::CrossEntropy { .. }
        | Kernel::CrossEntropyGrad { .. }
        | Kernel::ArgReduce(..)
        | Kernel::Gather(_)
        | Kernel::ScatterAdd(_)
        | Kernel::IndexSelect(_)
        | Kernel::IndexAdd(_)
        | Kernel::Custom(_) => 0,
    }
}

/// Storage bindings of a kernel at the most: with more no network is planned better, and all native adapters have them.
const PLANNED_BINDINGS: usize = 12;

/// Steps by which a short kernel may be put off, to share a dispatch with others.
const SLACK: usize = 2;
/// Those of software devices, which gain nothing by it and run what GPUs run all the same.
const SLACK_OF_SOFTWARE: usize = 1;

/// What a device of this kind asks of its plans.
pub(crate) fn plan_options(variants: &Variants) -> PlanOptions {
    let has_epilogue = |kernel: &Kernel| {
        let custom = if let Kernel::Custom(call) = kernel { call.result.dtype.is_float() } else { false };
        custom || kernel.has_epilogue()
    };
    let plain = PlanOptions { alignment: ALIGNMENT, inline_broadcasts: true, has_epilogue, ..PlanOptions::default() };
    let plain = PlanOptions { max_operands: PLANNED_BINDINGS, ..plain };
    let OfClass { scratch, load_price } = OF_CLASS[variants.transformed() as usize][variants.class().index()];
    let call_price = variants.moved_in_a_call();
    // Where a result lies among the pixels of a stride takes registers: Intel's threads have none left.
    let compact_strides = !variants.registers_are_few();
    let plain = PlanOptions { scratch, load_price, compact_strides, call_price, ..plain };
    match variants.class() {
        DeviceClass::Software => PlanOptions { slack: SLACK_OF_SOFTWARE, ..plain },
        DeviceClass::Gpu(..) => PlanOptions {
            columns: columns::reduces_columns,
            loads: conv::computes_input,
            keeps: conv::keeps_input,
            slack: SLACK,
            ..plain
        },
    }
}

/// What plans ask of a class of devices.
#[derive(Clone, Copy)]
struct OfClass {
    scratch: fn(&Kernel, Option<&Columns>) -> usize,
    load_price: fn(&Kernel, usize) -> u64,
}

/// That of each class, by how far convolutions are transformed: a plan takes plain functions, which know nothing but their arguments.
const OF_CLASS: [[OfClass; DeviceClass::ALL.len()]; Transformed::ALL.len()] =
    [of_classes::<0>(), of_classes::<1>(), of_classes::<2>(), of_classes::<3>()];

const fn of_classes<const TRANSFORMED: usize>() -> [OfClass; DeviceClass::ALL.len()] {
    [
        of_class::<0, TRANSFORMED>(),
        of_class::<1, TRANSFORMED>(),
        of_class::<2, TRANSFORMED>(),
        of_class::<3, TRANSFORMED>(),
        of_class::<4, TRANSFORMED>(),
        of_class::<5, TRANSFORMED>(),
        of_class::<6, TRANSFORMED>(),
        of_class::<7, TRANSFORMED>(),
        of_class::<8, TRANSFORMED>(),
    ]
}

const fn of_class<const CLASS: usize, const TRANSFORMED: usize>() -> OfClass {
    OfClass { scratch: scratch_of::<CLASS, TRANSFORMED>, load_price: load_price_of::<CLASS, TRANSFORMED> }
}

const fn variants_of<const CLASS: usize, const TRANSFORMED: usize>() -> Variants {
    Variants::of(DeviceClass::ALL[CLASS]).with_transforms(Transformed::ALL[TRANSFORMED])
}

fn scratch_of<const CLASS: usize, const TRANSFORMED: usize>(kernel: &Kernel, columns: Option<&Columns>) -> usize {
    scratch(kernel, columns, &variants_of::<CLASS, TRANSFORMED>())
}

fn load_price_of<const CLASS: usize, const TRANSFORMED: usize>(kernel: &Kernel, input: usize) -> u64 {
    variants::load_price(kernel, input, &variants_of::<CLASS, TRANSFORMED>())
}

/// A shader's kernel with the step's program as its epilogue.
fn composed(step: &Step, kernel: chiaro_shaders::ShaderKernel) -> Result<Dispatch, ShaderError> {
    Ok(Dispatch::new(codegen::with_epilogue(kernel.source, step)?, kernel.workgroups))
}

/// The element type of an input of the kernel.
fn input_elem(step: &Step, input: usize) -> Result<Elem, ShaderError> {
    elem(step, step.operands[step.inputs[input]].dtype)
}

/// The element type of the result: that of the store which the shader itself does.
fn output_elem(step: &Step) -> Elem {
    let own = codegen::own_store(&step.program).map(|i| &step.program.stores[i]);
    if own.is_some_and(|s| s.dtype == DType::F16) { Elem::F16 } else { Elem::F32 }
}

fn elem(step: &Step, dtype: DType) -> Result<Elem, ShaderError> {
    match dtype {
        DType::F32 => Ok(Elem::F32),
        DType::F16 => Ok(Elem::F16),
        DType::I32 | DType::U32 | DType::Bool => {
            Err(ShaderError::Invalid(format!("{}: {dtype} operands of {}", step.label, step.kernel.name())))
        }
    }
}

/// An extent as the shaders take it.
fn extent(n: usize) -> Result<u32, ShaderError> {
    u32::try_from(n).map_err(|_| ShaderError::Invalid(format!("an extent of {n} is beyond 32 bits")))
}

fn extents<const N: usize>(values: [usize; N]) -> Result<[u32; N], ShaderError> {
    let mut out = [0; N];
    for (o, v) in out.iter_mut().zip(values) {
        *o = extent(v)?;
    }
    Ok(out)
}

/// Workgroups spread over two dimensions.
fn spread(name: &'static str, workgroups: u64) -> Result<[u32; 3], ShaderError> {
    dispatch::spread(name, workgroups)
}
