//! `--model CARD`: what rows should take on a card that need not be here, and the model of the device that is.

use chiaro::gpu::{AdapterFeatures, AdapterKind, AdapterLimits, AdapterSummary, Gpu, Peak, compute_units, planned_for};
use chiaro::graph::{Call, Peaks};
use chiaro_bench::{CARDS, Card, Limit, Rates, Workload};
use serde::Serialize;

use super::calls::CallRow;
use super::switches::SwitchArgs;
use crate::usage::Usage;

/// The model's sums over a row.
#[derive(Clone, Serialize)]
pub struct Predicted {
    /// Seconds of all dispatches and the gaps between them.
    pub seconds: f64,
    pub arithmetic_seconds: f64,
    pub memory_seconds: f64,
    pub workgroup_memory_seconds: f64,
    pub waves_seconds: f64,
    pub gap_seconds: f64,
}

impl Predicted {
    /// The sums, each dispatch counted where it is limited.
    pub fn of(rates: &Rates, calls: &[Call]) -> Predicted {
        let limited = |limit: Limit| {
            calls.iter().map(|c| rates.estimate(c)).filter(|e| e.limit == limit).map(|e| e.seconds).sum::<f64>()
        };
        Predicted {
            seconds: rates.step_seconds(calls),
            arithmetic_seconds: limited(Limit::Arithmetic),
            memory_seconds: limited(Limit::Memory),
            workgroup_memory_seconds: limited(Limit::WorkgroupMemory),
            waves_seconds: limited(Limit::Waves),
            gap_seconds: rates.gap * calls.len() as f64,
        }
    }
}

/// The card of this name.
pub fn card(name: &str) -> anyhow::Result<&'static Card> {
    Card::named(name).ok_or_else(|| {
        let known: Vec<&str> = CARDS.iter().map(|card| card.name).collect();
        Usage(format!("--model: no card is named like '{name}'; known are {}", known.join(", "))).into()
    })
}

/// The dispatches of a row as the card would get them; a reason where it cannot run it.
pub fn calls(card: &Card, switches: &SwitchArgs, case: &Workload) -> anyhow::Result<Vec<Call>> {
    let adapter = adapter(card);
    let planned = planned_for(&adapter, &switches.backend()?, case.graph())?;
    Ok(planned.into_iter().map(|kernel| kernel.call).collect())
}

/// The rows of the dispatches, without times.
pub fn rows(rates: &Rates, calls: &[Call]) -> Vec<CallRow> {
    calls.iter().map(|call| CallRow::new(call, &[], None, Some(rates))).collect()
}

/// The adapter that a card would be.
fn adapter(card: &Card) -> AdapterSummary {
    let shapes = if card.matrix > 0 { vec![format!("{0}x{0}x{0} F16->F32", card.matrix)] } else { vec![] };
    AdapterSummary {
        index: 0,
        name: card.name.to_owned(),
        backend: "none".to_owned(),
        driver: String::new(),
        kind: if card.vendor == 0 { AdapterKind::Integrated } else { AdapterKind::Discrete },
        pci: (card.vendor, 0),
        features: AdapterFeatures {
            f16: true,
            subgroups: Some(card.subgroups),
            timestamps: true,
            immediates: true,
            pipeline_cache: true,
            cooperative_matrix: shapes,
        },
        limits: AdapterLimits {
            buffer_bytes: 1 << 32,
            binding_bytes: (1 << 32) - 4,
            storage_buffers: 29,
            binding_alignment: 256,
            workgroup_invocations: 1024,
            workgroup_size: [1024, 1024, 64],
            workgroup_bytes: card.workgroup_bytes,
            workgroups_per_dimension: 65_535,
            immediate_bytes: 128,
        },
    }
}

/// The model of the GPU at hand: what was measured of it, and the data sheet for the rest.
pub fn at_hand(gpu: &Gpu, peaks: &Peaks) -> Rates {
    let summary = gpu.summary();
    let software = summary.kind == AdapterKind::Software;
    let cores = || std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    let units = compute_units(&summary.name).unwrap_or_else(|| if software { cores() } else { Card::UNKNOWN.units });
    let known = Card::of_adapter(&summary.name).map(Card::rates);
    let usual = Rates::measured(peaks, units);
    let measured = |peak: Peak| gpu.measure(peak).ok().flatten().map(|figure| figure.value);
    let matrix = measured(Peak::Matrix(16)).or_else(|| measured(Peak::Matrix(8)));
    Rates {
        latency: known.map_or(usual.latency, |rates| rates.latency),
        near_bytes: measured(Peak::WorkgroupLoads16).map_or(usual.near_bytes, |giga| giga * 1e9),
        matrix_flops: matrix.map_or(usual.matrix_flops, |giga| giga * 1e9),
        gap: measured(Peak::DependentDispatches).map_or(usual.gap, |micro| (micro * 1e-6).max(0.0)),
        ..usual
    }
}
