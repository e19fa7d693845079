//! Reductions of columns move into the kernel that produces what they reduce: batch norm's statistics into its
//! convolution, and the sums of its backward pass into the input gradient before it.

use super::PlanOptions;
use super::dependencies::Dependencies;
use super::draft::{Draft, Drafts, Region};
use super::fuse::{drop_unused_operands, fits};
use super::kernel::{ColumnKind, Columns, Kernel};
use super::program::{Instr, Program, Reg, Store, View};
use crate::dtype::DType;
use crate::op::{MomentsAxis, ReduceKind};
use crate::shape::count;

/// A reduction over all axes but the last moves into the call that produces its operand.
pub(super) fn merged_columns(
    drafts: &Drafts,
    deps: &Dependencies,
    a: usize,
    b: usize,
    options: &PlanOptions,
) -> Option<Draft> {
    let (producer, reduction) = (&drafts.calls[a], &drafts.calls[b]);
    // The columns that a kernel has in its hands are those of its product: the program's last axis may be a part of them.
    let its_own = producer.kernel.product_columns() == producer.program.domain.last().copied();
    if !its_own || !(options.columns)(&producer.kernel) || reduction.columns.is_some() || deps.reaches_indirectly(a, b)
    {
        return None;
    }
    let mut merged = match &reduction.kernel {
        Kernel::Moments { axis: MomentsAxis::Rows, .. } => with_moments(drafts, deps, producer, reduction)?,
        Kernel::Reduce { prologue, kept: 1, results } if results.iter().all(|r| r.1 == ReduceKind::Sum) => {
            let regs: Vec<Reg> = results.iter().map(|r| r.0).collect();
            with_sums(drafts, deps, producer, reduction, prologue, &regs)?
        }
        Kernel::Moments { .. } | Kernel::Reduce { .. } | Kernel::ArgReduce(..) => return None,
        Kernel::Pointwise | Kernel::MatMul(_) | Kernel::Softmax { .. } | Kernel::Custom(_) => return None,
        Kernel::Conv2d(_) | Kernel::Conv2dInputGrad(_) | Kernel::Conv2dWeightGrad(_) => return None,
        Kernel::MaxPool2d(_) | Kernel::MaxPool2dIndex(_) | Kernel::MaxPool2dGrad(_) => return None,
        Kernel::AvgPool2d(..) | Kernel::AvgPool2dGrad(..) => return None,
        Kernel::CrossEntropy { .. } | Kernel::CrossEntropyGrad { .. } => return None,
        Kernel::Gather(_) | Kernel::ScatterAdd(_) | Kernel::IndexSelect(_) | Kernel::IndexAdd(_) => return None,
    };
    merged.rank = producer.rank.max(reduction.rank);
    drop_unused_operands(&mut merged);
    fits(&merged, options).then_some(merged)
}

fn with_moments(drafts: &Drafts, deps: &Dependencies, producer: &Draft, reduction: &Draft) -> Option<Draft> {
    let source = &reduction.operands[*reduction.inputs.first()?];
    let reg = stored(drafts, deps, producer, source)?;
    let columns = *producer.program.domain.last()?;
    let target = reduction.operands[reduction.program.stores.first()?.operand].clone();
    if producer.columns.is_some() || target.len != 2 * columns || !reduction.program.is_plain() {
        return None;
    }
    // Phases of an input gradient whose extents are no multiple of the stride have rows that are no results.
    if let Kernel::Conv2dInputGrad(shape) = &producer.kernel
        && shape.phase_rows() * shape.spec.stride.iter().product::<usize>() != shape.x[..3].iter().product()
    {
        return None;
    }
    let mut merged = producer.clone();
    let operand = merged.operand(target);
    let mut program = Program::new(&[columns]);
    for row in 0..2 {
        let reg = program.push(Instr::Value(row), DType::F32);
        let view = View { offset: (row * columns) as isize, strides: vec![1] };
        program.stores.push(Store { operand, view, dtype: DType::F32, reg });
    }
    merged.columns = Some(Columns { results: vec![(reg, ColumnKind::Moments)], program });
    Some(merged)
}

fn with_sums(
    drafts: &Drafts,
    deps: &Dependencies,
    producer: &Draft,
    reduction: &Draft,
    prologue: &Program,
    sums: &[Reg],
) -> Option<Draft> {
    let prologue = columns_last(prologue);
    let floats = sums.iter().all(|&reg| prologue.types[reg] == DType::F32);
    let has_moments = producer.columns.iter().flat_map(|c| &c.results).any(|r| r.1 == ColumnKind::Moments);
    if prologue.domain != producer.program.domain || reduction.program.domain.len() != 1 || !floats || has_moments {
        return None;
    }
    if !loads_own_points(producer, reduction, &prologue) {
        return None;
    }
    let mut merged = producer.clone();
    let map: Vec<usize> = reduction.operands.iter().map(|o| merged.operand(o.clone())).collect();
    let found = |o: usize, _: &View| stored(drafts, deps, producer, &reduction.operands[o]);
    let regs = merged.program.append(&prologue, &|o| map[o], &found);
    let mut code = reduction.program.clone();
    code.rename_operands(&map);
    let own = Columns { results: vec![], program: Program::new(&code.domain) };
    let mut columns = merged.columns.take().unwrap_or(own);
    let before = columns.values();
    columns.results.extend(sums.iter().map(|&reg| (regs[reg], ColumnKind::Sum)));
    for instr in &mut code.instrs {
        if let Instr::Value(i) = instr {
            *i += before;
        }
    }
    let moved = columns.program.append(&code, &|o| o, &|_, _| None);
    columns.program.stores.extend(code.stores.into_iter().map(|s| Store { reg: moved[s.reg], ..s }));
    merged.columns = Some(columns);
    Some(merged)
}

/// The register that the producer stores as the whole of a region, point by point, and that nobody else writes.
fn stored(drafts: &Drafts, deps: &Dependencies, producer: &Draft, region: &Region) -> Option<Reg> {
    let store = producer.program.stores.iter().find(|s| producer.operands[s.operand] == *region)?;
    let points = count(&producer.program.domain);
    let whole = region.offset == 0 && region.len == drafts.storages[region.storage].len && region.len == points;
    let writers = deps.writers(region.storage).len();
    let float = producer.program.types[store.reg] == DType::F32;
    (whole && writers == 1 && float && store.view.is_identity(&producer.program.domain)).then_some(store.reg)
}

/// Does the prologue read what the producer writes, and only each point's own element of it?
fn loads_own_points(producer: &Draft, reduction: &Draft, prologue: &Program) -> bool {
    let mut any = false;
    let own = prologue.instrs.iter().filter_map(Instr::load).all(|(operand, view)| {
        let region = &reduction.operands[operand];
        let written = producer.writes().any(|w| w.overlaps(region));
        any |= written;
        let stored = producer.program.stores.iter().any(|s| producer.operands[s.operand] == *region);
        !written || stored && view.is_identity(&prologue.domain)
    });
    own && any
}

/// A prologue over `[column, rows...]` as one over `[rows..., column]`.
fn columns_last(prologue: &Program) -> Program {
    let mut moved = prologue.clone();
    moved.domain.rotate_left(1);
    moved.views_mut().for_each(|view| view.strides.rotate_left(1));
    moved
}
