//! Moves rectangles between operands and register tiles.

use super::code::{Bound, StoreTarget};
use super::grid::{Addresses, TileSpan};
use crate::raw::memory::MemoryRegion;
use chiaro_graph::DType;
use half::f16;
use half::slice::HalfFloatSliceExt;

/// Lanes that are copied by a few moves instead of a call.
const SHORT: usize = 16;

/// Fills a tile with an operand's elements, 16-bit ones widened.
pub(crate) fn load(bound: &Bound, places: &Addresses, span: TileSpan, out: &mut [u32]) {
    let half = bound.dtype == DType::F16;
    if places.is_dense(&span) {
        return run(bound.region, half, places.at(span.row, span.col) as usize, out);
    }
    if places.row == Some(0) && places.col == 0 {
        return out.fill(one(bound.region, half, places.at(0, 0) as usize));
    }
    for (r, row) in out.chunks_exact_mut(span.cols).enumerate() {
        let start = places.at(span.row + r, span.col);
        match places.col {
            1 if !half && span.cols.is_multiple_of(SHORT) => {
                for (i, some) in row.as_chunks_mut::<SHORT>().0.iter_mut().enumerate() {
                    bound.region.copy_lanes(start as usize + i * SHORT, some);
                }
            }
            1 => run(bound.region, half, start as usize, row),
            0 => row.fill(one(bound.region, half, start as usize)),
            step => row
                .iter_mut()
                .enumerate()
                .for_each(|(c, o)| *o = one(bound.region, half, (start + c as isize * step) as usize)),
        }
    }
}

fn run(region: MemoryRegion, half: bool, start: usize, out: &mut [u32]) {
    if half {
        region.halves(start, out.len()).convert_to_f32_slice(bytemuck::cast_slice_mut(out));
    } else {
        region.copy_lanes(start, out);
    }
}

fn one(region: MemoryRegion, half: bool, at: usize) -> u32 {
    if half { region.half(at).to_f32().to_bits() } else { region.lane(at) }
}

/// Writes a tile where a store wants it, narrowed to 16 bits if it is stored so.
pub(crate) fn store(target: &StoreTarget, span: TileSpan, lanes: &[u32]) {
    let (region, places) = (target.region, &target.places);
    let half = target.dtype == DType::F16;
    if places.is_dense(&span) {
        return put(region, half, places.at(span.row, span.col) as usize, lanes);
    }
    for (r, row) in lanes.chunks_exact(span.cols).enumerate() {
        let start = places.at(span.row + r, span.col);
        if places.col == 1 {
            put(region, half, start as usize, row);
            continue;
        }
        for (c, &lane) in row.iter().enumerate() {
            let at = (start + c as isize * places.col) as usize;
            match half {
                true => region.set_half(at, f16::from_f32(f32::from_bits(lane))),
                false => region.set_lane(at, lane),
            }
        }
    }
}

fn put(region: MemoryRegion, half: bool, start: usize, lanes: &[u32]) {
    if half {
        region.halves_mut(start, lanes.len()).convert_from_f32_slice(bytemuck::cast_slice(lanes));
    } else {
        region.lanes_mut(start, lanes.len()).copy_from_slice(lanes);
    }
}
