//! Convolutions of 3x3 filters and stride 1 in f32 by Winograd's F(4x4, 3x3): 36 products of matrices instead of one that has four
//! times their terms, between transforms whose results go through scratch.

use chiaro_graph::plan::{Columns, ConvShape, Kernel, Product, ProductKernel, Step};
use chiaro_shaders::kernels::{MatMul, MatOperand, Transforms, WINOGRAD_POSITIONS, WinogradGrid};
use chiaro_shaders::{Elem, ShaderError, ShaderKernel, Tile};

use super::{ALIGNMENT, Dispatch, Part, Variants, columns, conv, extent, extents, input_elem, output_elem, split};
use crate::codegen::{self, ColumnParts, Composed};

const POSITIONS: usize = WINOGRAD_POSITIONS as usize;

/// Fewest operations of the plain convolution that pay for two or three dispatches more.
const LEAST_FLOPS: u64 = 500_000_000;
/// Terms up to which tiles of 8x4 sums a thread are faster.
const SHORT: usize = 256;

/// A convolution, or one of its gradients, that is transformed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Winograd {
    grid: WinogradGrid,
    /// Channels of the image that is read through windows, and of what is made (of dy, for a weight gradient).
    channels: [u32; 2],
    direction: Direction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Forward,
    InputGrad,
    WeightGrad,
}

/// Where something lies in scratch, in elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    first: usize,
    len: usize,
}

impl Span {
    fn part(self) -> Part {
        Part::Within { first: self.first, len: self.len }
    }
}

/// The scratch of a transformed convolution: sums of columns, transformed images, the other operand (filters, or gradients) transformed, and
/// what their products give.
struct Layout {
    columns: Span,
    image: Span,
    other: Span,
    sums: Span,
}

impl Layout {
    fn new(lens: [usize; 4]) -> Layout {
        let mut first = 0;
        let [columns, image, other, sums] = lens.map(|len| {
            let span = Span { first, len };
            first += len.next_multiple_of(ALIGNMENT);
            span
        });
        Layout { columns, image, other, sums }
    }

    fn len(&self) -> usize {
        self.sums.first + self.sums.len
    }
}

impl Winograd {
    /// The transform of a kernel, if it has one and that pays on these devices; `None` where another variant was chosen.
    fn of(kernel: &Kernel, variants: &Variants) -> Option<Winograd> {
        let (shape, direction) = match kernel.as_product()? {
            ProductKernel::MatMul(_) => return None,
            ProductKernel::Conv2d(shape) => (shape, Direction::Forward),
            ProductKernel::InputGrad(shape) => (shape, Direction::InputGrad),
            ProductKernel::WeightGrad(shape) => (shape, Direction::WeightGrad),
        };
        let split = direction == Direction::WeightGrad && variants.parts_are_chosen();
        if !variants.transforms() || split || !is_plain(shape) {
            return None;
        }
        let [n, h, w, c] = extents(shape.x).ok()?;
        let [_, oh, ow, o] = extents(shape.y).ok()?;
        let [top, _, left, _] = extents(shape.spec.padding).ok()?;
        let forward = WinogradGrid { batch: n, input: [h, w], padding: [top, left], output: [oh, ow] };
        let (grid, channels) = match direction {
            Direction::Forward | Direction::WeightGrad => (forward, [c, o]),
            Direction::InputGrad => {
                (WinogradGrid { input: [oh, ow], padding: [2 - top, 2 - left], output: [h, w], ..forward }, [o, c])
            }
        };
        let found = Winograd { grid, channels, direction };
        let pays = variants.always_transforms() || (kernel.flops() >= LEAST_FLOPS && found.pays(variants));
        let whole = direction == Direction::WeightGrad || grid.tiles_of_workgroup().is_some();
        let room = || found.layout(0, variants).len().saturating_mul(4) <= variants.transformed_bytes();
        (pays && whole && room()).then_some(found)
    }

    /// Whether fewer multiplications are worth what is moved for them. Products of few terms each take 1.4 times as long as a long one's.
    fn pays(&self, variants: &Variants) -> bool {
        let [c, o] = self.channels.map(u64::from);
        let (tiles, rows) = (u64::from(self.grid.tiles()), u64::from(self.grid.rows()));
        let transformed = tiles * u64::from(WINOGRAD_POSITIONS) * (c * o * 7 / 5 + variants.moved_element() * (c + o));
        transformed < rows * 9 * c * o
    }

    /// The product of each position, and the parts in which its terms are summed.
    fn product(&self, variants: &Variants) -> (Product, Tile, u32) {
        let tiles = self.grid.tiles() as usize;
        let [read, made] = self.channels.map(|channels| channels as usize);
        let of = |m, n, k| Product { batch: POSITIONS, m, n, k, busy_rows: false };
        if self.direction != Direction::WeightGrad {
            let product = of(tiles, made, read);
            // So few terms are over before 8x8 sums a thread have paid: 128x128 took a tenth longer on an H100.
            let tile = variants.tile(product);
            let short = tile == Tile::LARGE && read <= SHORT;
            return (product, if short { Tile::FOURS[0] } else { tile }, 1);
        }
        let product = of(made, read, tiles);
        let (tile, workgroups) = split::tile(product, variants);
        let wanted = variants.transformed_parts(workgroups, tiles) as u32;
        (product, tile, MatMul::new(self.channels[1], self.channels[0], self.grid.tiles()).parts(&tile, wanted))
    }

    fn layout(&self, columns: usize, variants: &Variants) -> Layout {
        let tiles = self.grid.tiles() as usize;
        let [read, made] = self.channels.map(|channels| channels as usize);
        let filters = POSITIONS * read * made;
        let [image, gradients] = [read, made].map(|channels| POSITIONS * tiles * channels);
        match self.direction {
            Direction::Forward | Direction::InputGrad => Layout::new([columns, image, filters, gradients]),
            Direction::WeightGrad => {
                Layout::new([columns, image, gradients, self.product(variants).2 as usize * filters])
            }
        }
    }

    /// How the workgroups that make results divide their rows.
    fn column_parts(&self) -> ColumnParts {
        let tile = self.grid.rows_of_workgroup().max(1) as usize;
        ColumnParts { rows: self.grid.rows() as usize, tile, phases: 1 }
    }

    fn columns_len(&self, columns: Option<&Columns>) -> usize {
        columns.map_or(0, |c| columns::parts_len(c, &self.column_parts()))
    }
}

/// A convolution that the transform applies to, with channels in whole vectors.
fn is_plain(shape: &ConvShape) -> bool {
    let spec = &shape.spec;
    let vectors = [shape.x[3], shape.y[3]].iter().all(|channels| channels.is_multiple_of(4));
    let filters = shape.w[1..3] == [3, 3] && spec.stride == [1, 1] && spec.dilation == [1, 1] && spec.groups == 1;
    vectors && filters && spec.padding.iter().all(|&p| p <= 2)
}

/// f32 elements of scratch of a kernel that may be transformed.
pub(super) fn scratch(kernel: &Kernel, columns: Option<&Columns>, variants: &Variants) -> usize {
    let found = Winograd::of(kernel, variants);
    found.map_or(0, |found| found.layout(found.columns_len(columns), variants).len())
}

/// Times that the lines of all tiles of a transformed kernel read an element of an input; `None` where it is not transformed. They read the same
/// pixels, from a cache, and compute them anew: on an H100 an input of a norm and ReLU took 26 us more (72 instead of 46).
pub(super) fn readings(kernel: &Kernel, input: usize, variants: &Variants) -> Option<usize> {
    let found = Winograd::of(kernel, variants)?;
    let channels = found.channels.map(|channels| channels as usize);
    let tiles = found.grid.tiles() as usize;
    Some(match (found.direction, input) {
        // Six lines of four columns, or of six, of four pixels each.
        (Direction::WeightGrad, 1) => tiles * 96 * channels[1],
        (Direction::Forward | Direction::InputGrad | Direction::WeightGrad, _) => tiles * 144 * channels[0],
    })
}

/// The transform of a step, where its plan left room for it.
fn of_step(step: &Step, variants: &Variants) -> Result<Option<(Winograd, Layout)>, ShaderError> {
    let Some(found) = Winograd::of(&step.kernel, variants) else { return Ok(None) };
    let layout = found.layout(found.columns_len(step.columns.as_ref()), variants);
    let room = step.scratch.as_ref().is_some_and(|scratch| scratch.len >= layout.len());
    let f32s = [input_elem(step, 0)?, input_elem(step, 1)?, output_elem(step)] == [Elem::F32; 3];
    Ok((room && f32s).then_some((found, layout)))
}

/// The dispatches of a step that is transformed; `None` if it is not.
///
/// # Errors
/// Those of the composition.
pub(super) fn dispatches(step: &Step, variants: &Variants) -> Result<Option<Vec<Dispatch>>, ShaderError> {
    let Some((found, layout)) = of_step(step, variants)? else { return Ok(None) };
    let transforms = Transforms(found.grid);
    let [read, made] = found.channels;
    let image = |input, kernel, to| transformed(step, input, kernel, to);
    let product = found.multiply(&layout, variants)?;
    if found.direction == Direction::WeightGrad {
        let parts = found.product(variants).2;
        let mut all = vec![image(0, transforms.input(read)?, layout.image)?.named("tiles")];
        all.push(image(1, transforms.output_grad(made, conv::keeps(step, 1))?, layout.other)?.named("gradient tiles"));
        all.push(product);
        all.push(results(step, Transforms::filter_grad(made, read, parts)?, &layout)?.named("filters"));
        return Ok(Some(all));
    }
    let turned = found.direction == Direction::InputGrad;
    let (filters, channels) = if turned { (read, made) } else { (made, read) };
    let operands = transforms.operands(read, [filters, channels], turned, conv::keeps(step, 0))?;
    let composed = codegen::with_loads(operands.source, &Step { columns: None, ..step.clone() })?;
    // The first of its results was put behind the other.
    let operands = scratched(composed, operands.workgroups, &[layout.image, layout.other]).named("operands");
    let output = transforms.output(made, columns::of(step))?;
    let mut all = vec![operands, product, results(step, output, &layout)?.named("results")];
    if let Some(columns) = &step.columns {
        all.push(columns::merge(step, columns, &found.column_parts(), layout.columns.part())?);
    }
    Ok(Some(all))
}

/// The transform of an input of the step, which may be computed as it is read.
fn transformed(step: &Step, input: usize, kernel: ShaderKernel, to: Span) -> Result<Dispatch, ShaderError> {
    let only = |load: &Option<_>| vec![load.clone()];
    let loads = step.loads.get(input).map_or(vec![], only);
    let one = Step { inputs: vec![step.inputs[input]], loads, columns: None, ..step.clone() };
    let composed = codegen::with_loads(kernel.source, &one)?;
    Ok(scratched(composed, kernel.workgroups, &[to]))
}

/// The kernel that makes results from sums, with the step's program behind it.
fn results(step: &Step, kernel: ShaderKernel, layout: &Layout) -> Result<Dispatch, ShaderError> {
    let rest = Step { inputs: vec![], loads: vec![], ..step.clone() };
    // One buffer cannot be bound both to read and to write.
    let sums = kernel.source.buffers().iter().position(|buffer| buffer.name == "sums");
    let source = sums.into_iter().fold(kernel.source, |source, number| source.allow_writes(number));
    let composed = codegen::with_epilogue(source, &rest)?;
    let spans = if step.columns.is_some() { vec![layout.sums, layout.columns] } else { vec![layout.sums] };
    Ok(scratched(composed, kernel.workgroups, &spans))
}

/// A kernel whose last buffers are parts of scratch.
fn scratched(composed: Composed, workgroups: [u32; 3], spans: &[Span]) -> Dispatch {
    let mut dispatch = Dispatch::of_operands(composed.text, &composed.binds, workgroups);
    dispatch.parts.extend(spans.iter().map(|span| span.part()));
    dispatch
}

impl Winograd {
    /// The products of all positions.
    fn multiply(&self, layout: &Layout, variants: &Variants) -> Result<Dispatch, ShaderError> {
        let (product, tile, parts) = self.product(variants);
        let [m, n, k] = [extent(product.m)?, extent(product.n)?, extent(product.k)?];
        let operand = |transposed, elements| MatOperand { transposed, batch_strides: [0, elements], elem: Elem::F32 };
        let (a, b, [left, right]) = match self.direction {
            Direction::Forward => (operand(false, m * k), operand(true, k * n), [layout.image, layout.other]),
            Direction::InputGrad => (operand(false, m * k), operand(false, k * n), [layout.image, layout.other]),
            Direction::WeightGrad => (operand(true, m * k), operand(false, k * n), [layout.other, layout.image]),
        };
        let shape = MatMul { batch: [1, WINOGRAD_POSITIONS], a, b, ..MatMul::new(m, n, k) };
        let kernel = shape.kernel(&tile, parts)?;
        let source = kernel.source.allow_writes(0).allow_writes(1);
        let parts = [left, right, layout.sums].map(Span::part).to_vec();
        let dispatch = Dispatch { parts, ..Dispatch::of_operands(source.build()?, &[], kernel.workgroups) };
        Ok(Dispatch { product: Some((product, tile)), ..dispatch.named("products") })
    }
}
