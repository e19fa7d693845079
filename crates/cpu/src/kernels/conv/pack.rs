//! Weights in the order in which the micro-kernels read them: panels of columns, and in each `[tap][k][column]`.

use super::ConvExtents;
use super::geometry::{Direction, Geometry};
use super::padding::{needs_merging, padded_size};
use super::phase::{Phase, forward_phase, gradient_phases, merged_phase, winograd_phase};
use super::winograd::{self, FilterPanel};
use crate::kernels::Workspace;
use crate::kernels::transpose::{copy_row, transpose_rows};
use crate::kernels::workspace::Aligned;
use crate::raw::simd::Level;
use rayon::prelude::*;
use std::ops::Range;

/// One panel of packed weights: columns `col..col + cols` of the output, rows of `step` floats.
pub(crate) struct PackedPanel<'a> {
    pub(crate) col: usize,
    pub(crate) cols: usize,
    pub(crate) step: usize,
    pub(crate) data: &'a [f32],
}

/// Weights of one layer, packed for one direction and one [`ConvExtents`]. Keep it between steps: packing again into the same
/// value allocates nothing.
#[derive(Default)]
pub struct PackedWeights {
    data: Aligned,
    plan: Option<Packing>,
}

struct Packing {
    shape: ConvExtents,
    direction: Direction,
    geometry: Geometry,
    phases: Vec<Phase>,
    /// Where each phase starts in `data`.
    starts: Vec<usize>,
    /// Columns of a panel.
    nr: usize,
    lanes: usize,
    level: Level,
    /// Filter rows are one tap each, over a padded input.
    merged: bool,
    /// Filters are transformed by Winograd's method.
    winograd: bool,
}

impl Packing {
    fn new(workspace: &Workspace, shape: &ConvExtents, direction: Direction) -> Self {
        let merged = direction == Direction::Forward && needs_merging(shape);
        let mut geometry = Geometry::new(shape, direction);
        let winograd = winograd::suits(shape);
        let phases = match (winograd, direction) {
            (true, Direction::Forward | Direction::InputGradient) => vec![winograd_phase()],
            (false, Direction::Forward) if merged => {
                geometry.input = padded_size(shape);
                geometry.kc *= shape.kernel[1];
                vec![merged_phase(shape)]
            }
            (false, Direction::Forward) => vec![forward_phase(shape)],
            (false, Direction::InputGradient) => gradient_phases(shape),
        };
        let mut plan = Self {
            shape: *shape,
            direction,
            geometry,
            merged,
            winograd,
            starts: vec![0],
            // The transforms work on whole vectors of their own.
            nr: workspace.kernels().nr().max(if winograd { winograd::LANES } else { 0 }),
            lanes: workspace.kernels().lanes(),
            level: workspace.level(),
            phases,
        };
        for phase in &plan.phases {
            let len = plan.phase_len(phase);
            plan.starts.push(plan.starts[plan.starts.len() - 1] + len);
        }
        plan
    }

    /// Floats of a phase.
    fn phase_len(&self, phase: &Phase) -> usize {
        if self.winograd {
            let panels = if winograd::are_stored(&self.geometry) { self.cols().div_ceil(self.nr) } else { 0 };
            return panels * winograd::panel_len(self.geometry.kc, self.nr);
        }
        let columns =
            if self.shape.is_depthwise() { self.geometry.out_channels } else { self.geometry.groups * self.width() };
        phase.sources.len() * self.geometry.kc * columns
    }

    /// Columns of one group in the output.
    fn cols(&self) -> usize {
        self.geometry.out_channels / self.geometry.groups
    }

    /// Columns of one group with the padding of its last panel.
    fn width(&self) -> usize {
        self.cols().next_multiple_of(self.lanes)
    }
}

impl PackedWeights {
    /// An empty value to pack into.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Packs weights `[O, KH, KW, I/groups]` for [`conv2d`](super::conv2d).
    pub fn pack_forward(&mut self, workspace: &mut Workspace, shape: &ConvExtents, weights: &[f32]) {
        self.pack(workspace, shape, Direction::Forward, weights);
    }

    /// Packs weights `[O, KH, KW, I/groups]` for [`conv2d_input_gradient`](super::conv2d_input_gradient).
    pub fn pack_input_gradient(&mut self, workspace: &mut Workspace, shape: &ConvExtents, weights: &[f32]) {
        self.pack(workspace, shape, Direction::InputGradient, weights);
    }

    fn pack(&mut self, workspace: &mut Workspace, shape: &ConvExtents, direction: Direction, weights: &[f32]) {
        assert_eq!(weights.len(), shape.weights_len());
        let level = workspace.level();
        let plan = match self.plan.take() {
            Some(plan) if (plan.shape, plan.direction, plan.level) == (*shape, direction, level) => plan,
            _ => Packing::new(workspace, shape, direction),
        };
        workspace.prepare(0);
        let total = plan.starts[plan.starts.len() - 1];
        let mut rest = self.data.grow(total);
        for phase in &plan.phases {
            let len = plan.phase_len(phase);
            let (data, behind) = rest.split_at_mut(len);
            rest = behind;
            if shape.is_depthwise() {
                pack_depthwise(shape, phase, weights, data);
            } else if plan.winograd && len > 0 {
                pack_winograd(workspace, &plan, weights, data);
            } else if len > 0 {
                pack_phase(&plan, phase, weights, data);
            }
        }
        self.plan = Some(plan);
    }

    fn plan(&self) -> &Packing {
        self.plan.as_ref().expect("weights were packed before use")
    }

    pub(crate) fn direction(&self) -> Direction {
        self.plan().direction
    }

    pub(crate) fn geometry(&self) -> &Geometry {
        &self.plan().geometry
    }

    pub(crate) fn phases(&self) -> &[Phase] {
        &self.plan().phases
    }

    pub(crate) fn shape(&self) -> &ConvExtents {
        &self.plan().shape
    }

    /// Whether the input must be padded in memory first.
    pub(crate) fn is_merged(&self) -> bool {
        self.plan().merged
    }

    pub(crate) fn is_winograd(&self) -> bool {
        self.plan().winograd
    }

    /// Columns of a full panel.
    pub(crate) fn panel_width(&self) -> usize {
        self.plan().nr
    }

    /// Padding above and to the left of the image that the product reads.
    pub(crate) fn padding_before(&self) -> [usize; 2] {
        let shape = &self.plan().shape;
        let before = [shape.padding[0], shape.padding[2]];
        match self.plan().direction {
            Direction::Forward => before,
            Direction::InputGradient => [0, 1].map(|i| shape.kernel[i] - 1 - before[i]),
        }
    }

    pub(crate) fn is_depthwise(&self) -> bool {
        self.plan().shape.is_depthwise()
    }

    /// Depthwise weights of a phase, `[taps][channels]`.
    pub(crate) fn tap_major(&self, phase: usize) -> &[f32] {
        let starts = &self.plan().starts;
        &self.data.get()[starts[phase]..starts[phase + 1]]
    }

    /// The panels of transformed filters.
    pub(crate) fn winograd_panels(&self) -> impl Iterator<Item = PackedPanel<'_>> {
        let (plan, kc) = (self.plan(), self.plan().geometry.kc);
        let panels = self.data.get().chunks_exact(winograd::panel_len(kc, plan.nr));
        (0..plan.cols()).step_by(plan.nr).zip(panels).map(move |(col, data)| {
            let cols = plan.nr.min(plan.cols() - col);
            let step = winograd::padded(cols);
            PackedPanel { col, cols, step, data: &data[..winograd::panel_len(kc, step)] }
        })
    }

    /// The panels of a group that lie in `cols` (whose borders are panel borders).
    pub(crate) fn panels(
        &self,
        phase: usize,
        group: usize,
        cols: Range<usize>,
    ) -> impl Iterator<Item = PackedPanel<'_>> {
        let (plan, data) = (self.plan(), self.data.get());
        let per_group = plan.cols();
        let depth = plan.phases[phase].sources.len() * plan.geometry.kc;
        let start = plan.starts[phase] + group * plan.width() * depth;
        let local =
            cols.start.saturating_sub(group * per_group)..cols.end.saturating_sub(group * per_group).min(per_group);
        local.step_by(plan.nr).map(move |col| {
            let cols = plan.nr.min(per_group - col);
            let step = cols.next_multiple_of(plan.lanes);
            PackedPanel { col: group * per_group + col, cols, step, data: &data[start + col * depth..][..step * depth] }
        })
    }
}

fn pack_phase(plan: &Packing, phase: &Phase, weights: &[f32], data: &mut [f32]) {
    let depth = phase.sources.len() * plan.geometry.kc;
    let per_group = plan.cols();
    let group_len = plan.width() * depth;
    data.par_chunks_mut(group_len).enumerate().for_each(|(group, data)| {
        data.par_chunks_mut(plan.nr * depth).enumerate().for_each(|(i, panel)| {
            let col = i * plan.nr;
            let cols = plan.nr.min(per_group - col);
            match plan.direction {
                Direction::Forward => {
                    let from = (group * per_group + col) * depth;
                    transpose_rows(plan.level, &weights[from..from + cols * depth], depth, 0..depth, cols, panel);
                }
                Direction::InputGradient => {
                    copy_taps(plan, &phase.sources, group, col..col + cols, weights, panel);
                }
            }
        });
    });
}

/// `data[panel][position][k][column]`: transformed filters.
fn pack_winograd(workspace: &Workspace, plan: &Packing, weights: &[f32], data: &mut [f32]) {
    let kc = plan.geometry.kc;
    data.par_chunks_mut(winograd::panel_len(kc, plan.nr)).enumerate().for_each(|(i, panel)| {
        let cols = i * plan.nr..plan.cols().min((i + 1) * plan.nr);
        let panel = &mut panel[..winograd::panel_len(kc, cols.len())];
        let filters = FilterPanel { direction: plan.direction, geometry: &plan.geometry, weights, cols };
        filters.transform(workspace.level(), 0..kc, &mut workspace.arena().filters, panel);
    });
}

/// `data[tap][c] = weights[c][tap]`.
fn pack_depthwise(shape: &ConvExtents, phase: &Phase, weights: &[f32], data: &mut [f32]) {
    let rows = data.chunks_exact_mut(shape.channels_in);
    for (row, tap) in rows.zip(&phase.sources) {
        let filters = weights.chunks_exact(shape.taps());
        row.iter_mut().zip(filters).for_each(|(w, filter)| *w = filter[*tap]);
    }
}

/// `panel[tap][o][j] = weights[o][tap][col + j]`, for the input gradient.
fn copy_taps(
    plan: &Packing,
    sources: &[usize],
    group: usize,
    columns: Range<usize>,
    weights: &[f32],
    panel: &mut [f32],
) {
    let (taps, kc) = (plan.shape.taps(), plan.geometry.kc);
    let step = panel.len() / (sources.len() * kc);
    let (per_group, cols) = (plan.cols(), columns.len());
    let blocks = panel.chunks_exact_mut(kc * step).zip(sources);
    for (block, tap) in blocks {
        for (k, row) in block.chunks_exact_mut(step).enumerate() {
            let from = ((group * kc + k) * taps + tap) * per_group + columns.start;
            copy_row(&weights[from..from + cols], &mut row[..cols]);
            row[cols..].fill(0.0);
        }
    }
}
