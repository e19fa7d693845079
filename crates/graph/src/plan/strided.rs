//! The gradient of a 1x1 convolution with a stride is zero but at the pixels that it read. Where the gradient of another convolution is added to it,
//! as behind the first convolutions of a residual block, it is made without the zeros, and added where the other one's results are put.

use super::PlanOptions;
use super::dependencies::Dependencies;
use super::draft::{Draft, Drafts, Region, Storage, StorageKind};
use super::fuse::{drop_unused_operands, fits, loads_in_order};
use super::kernel::Kernel;
use super::program::{Instr, Program, Store, View};
use crate::dtype::{DType, Scalar};
use crate::elementwise::Elementwise;
use crate::op::ConvSpec;
use crate::ops::ConvShape;
use crate::shape::count;

/// Stands for the compact gradient in a program that has no operand for it yet.
const COMPACT: usize = usize::MAX;

/// Rewrites every such pair of calls.
pub(super) fn strided(drafts: &mut Drafts, options: &PlanOptions) {
    if !options.compact_strides {
        return;
    }
    let mut dependencies = Dependencies::new(drafts);
    for last in 0..drafts.calls.len() {
        let Some((first, region)) = producer(drafts, &dependencies, last) else { continue };
        let storage = drafts.storages.len();
        let Some([compact, other]) = exchanged(drafts, first, last, &region, storage) else { continue };
        if !fits(&compact, options) || !fits(&other, options) {
            continue;
        }
        let (len, dtype) =
            (compact.operands[compact.program.stores[0].operand].len, drafts.storages[region.storage].dtype);
        drafts.storages.push(Storage { kind: StorageKind::Temporary, len, dtype, inside: None, output: false });
        dependencies.replace(drafts, first, compact);
        dependencies.replace(drafts, last, other);
    }
    #[cfg(test)]
    dependencies.assert_current(drafts);
}

/// The gradient of a 1x1 convolution with a stride that divides the images.
fn pointwise(call: &Draft) -> Option<&ConvShape> {
    let Kernel::Conv2dInputGrad(shape) = &call.kernel else { return None };
    let ConvSpec { stride, padding, groups, .. } = &shape.spec;
    let plain = shape.w[1..3] == [1, 1] && *padding == [0; 4] && *groups == 1 && *stride != [1, 1];
    let whole = (0..2).all(|d| shape.y[1 + d] * stride[d] == shape.x[1 + d]);
    (plain && whole).then_some(shape)
}

/// The other convolution's gradient that a call alone reads, and point by point.
fn producer(drafts: &Drafts, dependencies: &Dependencies, last: usize) -> Option<(usize, Region)> {
    let call = &drafts.calls[last];
    let shape = pointwise(call)?;
    let of = |first: usize| {
        let producer = &drafts.calls[first];
        let Kernel::Conv2dInputGrad(other) = &producer.kernel else { return None };
        let [store] = &producer.program.stores[..] else { return None };
        let region = producer.operands[store.operand].clone();
        let storage = &drafts.storages[region.storage];
        let own = storage.kind == StorageKind::Temporary && storage.inside.is_none() && !storage.output;
        let whole = region.offset == 0 && region.len == storage.len && region.len == count(&shape.x);
        let assigned = drafts.assignments.iter().any(|(_, _, from)| from.storage == region.storage);
        let alone = dependencies.naming(region.storage).iter().all(|&i| i == first || i == last);
        let in_program = call.program.loaded().any(|o| call.operands[o] == region) && loads_in_order(call, &region);
        let elsewhere = call.kernel_reads().any(|r| *r == region)
            || call.columns.iter().flat_map(|c| c.program.loaded()).any(|o| call.operands[o] == region);
        let plain = producer.program.is_plain() && producer.columns.is_none() && other.x == shape.x;
        (plain && own && whole && !assigned && alone && in_program && !elsewhere).then_some((first, region))
    };
    dependencies.producers(last).into_iter().find_map(of)
}

/// The call that makes the compact gradient in a storage of this number, and the other convolution's with the rest of the last call behind it.
fn exchanged(drafts: &Drafts, first: usize, last: usize, region: &Region, storage: usize) -> Option<[Draft; 2]> {
    let [first, last] = [first, last].map(|call| &drafts.calls[call]);
    let shape = pointwise(last)?;
    let [n, h, w, c] = [shape.x[0], shape.y[1], shape.y[2], shape.x[3]];
    let [sh, sw] = shape.spec.stride;
    let target = Region { storage, offset: 0, len: n * h * w * c };
    let dtype = drafts.storages[region.storage].dtype;

    let spec = ConvSpec { stride: [1, 1], ..shape.spec.clone() };
    let mut compact = Draft { columns: None, rank: first.rank, ..last.clone() };
    compact.kernel = Kernel::Conv2dInputGrad(ConvShape { spec, x: [n, h, w, c], ..shape.clone() });
    compact.program = Program::new(&[n, h, w, c]);
    let reg = compact.program.push(Instr::Value(0), DType::F32);
    let operand = compact.operand(target.clone());
    compact.program.stores.push(Store { operand, view: View::identity(&[n, h, w, c]), dtype, reg });
    drop_unused_operands(&mut compact);

    let mut other =
        Draft { columns: last.columns.clone(), rank: last.rank, label: last.label.clone(), ..first.clone() };
    let map: Vec<usize> = last.operands.iter().map(|o| other.operand(o.clone())).collect();
    let mut program = Program::new(&[n, h, sh, w, sw, c]);
    let row = (w * c) as isize;
    let at = View { offset: 0, strides: vec![h as isize * row, row, 0, c as isize, 0, 1] };
    let place = program.push(Instr::Index(View { offset: 0, strides: vec![0, 0, 1, 0, 1, 0] }), DType::U32);
    let zero = program.push(Instr::Scalar(Scalar { value: 0.0, dtype: DType::U32 }), DType::U32);
    let read = program.push(Instr::Map(Elementwise::Equal, vec![place, zero]), DType::Bool);
    let operand = other.operand(target);
    let value = program.push(Instr::Load { operand, view: at, dtype }, DType::F32);
    let nothing = program.push(Instr::Scalar(Scalar { value: 0.0, dtype: DType::F32 }), DType::F32);
    let value = program.push(Instr::Map(Elementwise::Where, vec![read, value, nothing]), DType::F32);

    let mut rest = split(&last.program, &program.domain)?;
    for instr in &mut rest.instrs {
        match instr {
            Instr::Value(_) => *instr = Instr::Load { operand: COMPACT, view: View::identity(&[]), dtype },
            Instr::Load { operand, .. } if last.operands[*operand] == *region => *instr = Instr::Value(0),
            Instr::Load { .. } | Instr::Scalar(_) | Instr::Index(_) => {}
            Instr::Random { .. } | Instr::Map(..) | Instr::Cast(..) => {}
        }
    }
    let moved = program.append(&rest, &|o| map[o], &|o, _| (o == COMPACT).then_some(value));
    let stores = rest.stores.iter();
    program.stores = stores.map(|s| Store { operand: map[s.operand], reg: moved[s.reg], ..s.clone() }).collect();
    if let Some(columns) = &mut other.columns {
        columns.results.iter_mut().for_each(|result| result.0 = moved[result.0]);
        columns.program.rename_operands(&map);
    }
    other.program = program;
    drop_unused_operands(&mut other);
    Some([compact, other])
}

/// The program over a domain whose axes are parts of its own; `None` where they are not.
fn split(program: &Program, domain: &[usize]) -> Option<Program> {
    // For each new axis the old one, and how many of its points a step is.
    let mut axes: Vec<(usize, usize)> = vec![];
    let mut rest = domain;
    for (axis, &extent) in program.domain.iter().enumerate() {
        let mut points = 1;
        let parts = rest.iter().take_while(|&&n| {
            let wanted = points < extent;
            points *= if wanted { n } else { 1 };
            wanted
        });
        let parts = parts.count();
        if points != extent {
            return None;
        }
        axes.extend((0..parts).map(|part| (axis, rest[part + 1..parts].iter().product())));
        rest = &rest[parts..];
    }
    // What is left has one point.
    axes.extend(rest.iter().map(|_| (0, 0)));
    let mut moved = Program { domain: domain.to_vec(), ..program.clone() };
    moved.views_mut().for_each(|view| {
        let strides = axes.iter().map(|&(axis, points)| view.strides.get(axis).map_or(0, |s| s * points as isize));
        view.strides = strides.collect();
    });
    rest.iter().all(|&n| n == 1).then_some(moved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_split_only_into_parts_of_its_own_axes() {
        let mut program = Program::new(&[24, 5]);
        let load = |view| Instr::Load { operand: 0, view, dtype: DType::F32 };
        program.push(load(View { offset: 7, strides: vec![10, 1] }), DType::F32);
        let strides = |domain: &[usize]| {
            let found = split(&program, domain)?;
            found.instrs[0].view().map(|view| (view.offset, view.strides.clone()))
        };
        assert_eq!(strides(&[2, 3, 4, 5]), Some((7, vec![120, 40, 10, 1])));
        assert_eq!(strides(&[24, 5]), Some((7, vec![10, 1])));
        assert_eq!(strides(&[2, 3, 4, 5, 1]), Some((7, vec![120, 40, 10, 1, 0])));
        assert_eq!(strides(&[2, 30, 2]), None);
        assert_eq!(strides(&[24, 5, 2]), None);
    }
}
