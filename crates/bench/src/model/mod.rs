//! A model of a step: what each call must take on a card at the least. Where it and a measurement differ is where to look.
//!
//! Of each call the longest of four counts, then the gap to the next call:
//!
//! - arithmetic: the operations of the busiest unit, tiles filled up, at the unit's rate;
//! - memory: the bytes of the call, each once, at the rate of the card's memory;
//! - workgroup memory: the bytes that the busiest unit's workgroups exchange, at the unit's rate. Every invocation's loads count;
//!   hardware that serves neighbours with one word at once does better;
//! - waves: rounds of loads of one workgroup, one after the other, times the waves in which the workgroups run.

mod cards;

use chiaro_graph::{Call, Launch, Peaks};

pub use cards::{CARDS, Card};

/// Workgroups that a unit runs at once: large tiles leave registers for no more.
const RESIDENT: u64 = 2;

/// What a call is limited by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Multiplying and adding.
    Arithmetic,
    /// The memory of the card.
    Memory,
    /// Workgroup memory.
    WorkgroupMemory,
    /// Waiting for loads, wave after wave.
    Waves,
}

impl Limit {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Limit::Arithmetic => "arithmetic",
            Limit::Memory => "memory",
            Limit::WorkgroupMemory => "workgroup memory",
            Limit::Waves => "waves",
        }
    }
}

/// What a call should take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Seconds, without the gap to the next call.
    pub seconds: f64,
    /// Which count was the longest.
    pub limit: Limit,
}

/// The rates that the model counts with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Units that workgroups are spread over.
    pub units: u32,
    /// f32 operations a second of all units, a multiply-add counting two.
    pub flops: f64,
    /// The same of matrix units: f16 with f32 sums.
    pub matrix_flops: f64,
    /// Bytes a second of the card's memory.
    pub bytes: f64,
    /// Bytes a second of the workgroup memory of all units.
    pub near_bytes: f64,
    /// Seconds from a load of the card's memory to its value.
    pub latency: f64,
    /// Seconds between two dispatches of which one waits for the other.
    pub gap: f64,
}

impl Rates {
    /// What a call should take.
    pub fn estimate(&self, call: &Call) -> Estimate {
        let launch = call.launch.clone().unwrap_or_default();
        let flops = if launch.matrix_units { self.matrix_flops } else { self.flops };
        let uneven = self.uneven(&launch);
        let waves = launch.workgroups.div_ceil(u64::from(self.units.max(1)) * RESIDENT);
        let counts = [
            (Limit::Arithmetic, call.flops.max(launch.tile_flops) as f64 / flops * uneven),
            (Limit::Memory, call.bytes as f64 / self.bytes),
            (Limit::WorkgroupMemory, launch.near_bytes as f64 / self.near_bytes * uneven),
            (Limit::Waves, (waves * launch.rounds) as f64 * self.latency),
        ];
        let longest = counts.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or(counts[0]);
        Estimate { seconds: longest.1, limit: longest.0 }
    }

    /// What a step of these calls should take, gaps included.
    pub fn step_seconds<'a>(&self, calls: impl IntoIterator<Item = &'a Call>) -> f64 {
        calls.into_iter().map(|call| self.estimate(call).seconds + self.gap).sum()
    }

    /// The work of the busiest unit over the mean of all.
    fn uneven(&self, launch: &Launch) -> f64 {
        let (units, workgroups) = (u64::from(self.units.max(1)), launch.workgroups.max(1));
        workgroups.div_ceil(units) as f64 * units as f64 / workgroups as f64
    }

    /// The rates of a device that nothing is known of but what was measured: its units are those of a mid-sized card.
    pub fn measured(peaks: &Peaks, units: u32) -> Rates {
        let lanes = Card::UNKNOWN.rates();
        let scale = peaks.flops / lanes.flops;
        Rates {
            units,
            flops: peaks.flops,
            matrix_flops: lanes.matrix_flops * scale,
            bytes: peaks.bytes,
            near_bytes: lanes.near_bytes * scale,
            ..lanes
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: Rates =
        Rates { units: 4, flops: 4e9, matrix_flops: 16e9, bytes: 1e9, near_bytes: 8e9, latency: 1e-6, gap: 1e-5 };

    fn call(flops: u64, bytes: u64, launch: Launch) -> Call {
        Call { flops, bytes, launch: Some(launch), ..Call::default() }
    }

    #[test]
    fn the_longest_of_four_counts_is_the_time_of_a_call() {
        let launch = Launch { workgroups: 8, rounds: 1, ..Launch::default() };
        let cases = [
            (call(4_000_000, 10, launch.clone()), 1e-3, Limit::Arithmetic),
            (call(16_000_000, 10, Launch { matrix_units: true, ..launch.clone() }), 1e-3, Limit::Arithmetic),
            (call(10, 1_000_000, launch.clone()), 1e-3, Limit::Memory),
            (call(10, 10, Launch { near_bytes: 8_000_000, ..launch.clone() }), 1e-3, Limit::WorkgroupMemory),
            (call(10, 10, Launch { rounds: 1000, ..launch.clone() }), 1e-3, Limit::Waves),
            // Nine workgroups on four units take two waves of eight, and the busiest unit has three.
            (call(10, 10, Launch { workgroups: 9, rounds: 1000, ..launch.clone() }), 2e-3, Limit::Waves),
            (call(9_000_000, 10, Launch { workgroups: 9, ..launch.clone() }), 3e-3, Limit::Arithmetic),
            // A tile of which half lies outside of the result.
            (call(2_000_000, 10, Launch { tile_flops: 4_000_000, ..launch }), 1e-3, Limit::Arithmetic),
        ];
        for (call, seconds, limit) in &cases {
            let got = RATES.estimate(call);
            assert!(
                (got.seconds / seconds - 1.0).abs() < 1e-9 && got.limit == *limit,
                "{got:?}, not {seconds} {limit:?}"
            );
        }
        let all = cases.map(|(call, ..)| call);
        let sum: f64 = all.iter().map(|call| RATES.estimate(call).seconds).sum();
        assert!((RATES.step_seconds(&all) - sum - 8.0 * RATES.gap).abs() < 1e-12);
    }

    #[test]
    fn a_card_is_found_by_a_part_of_its_name_and_an_adapter_by_all_of_it() {
        for (text, name) in [
            ("h100", "NVIDIA H100 80GB HBM3"),
            ("4090", "NVIDIA GeForce RTX 4090"),
            ("RX 7900 XTX", "AMD Radeon RX 7900 XTX"),
            ("a770", "Intel(R) Arc(tm) A770 Graphics"),
            ("m1", "Apple M1"),
        ] {
            assert_eq!(Card::named(text).map(|card| card.name), Some(name), "{text}");
        }
        assert!(Card::named("voodoo").is_none() && Card::named("").is_none());
        assert_eq!(Card::of_adapter("AMD Radeon RX 7900 XTX (RADV NAVI31)").map(|c| c.units), Some(96));
        assert!(Card::of_adapter("llvmpipe (LLVM 19.1.7, 256 bits)").is_none());
    }

    #[test]
    fn the_rates_of_the_cards_are_those_of_their_data_sheets() {
        for (name, tflops) in [("H100", 66.9), ("4090", 82.6), ("7900 XTX", 61.4), ("A770", 19.7), ("M1", 2.6)] {
            let rates = Card::named(name).expect("in the table").rates();
            assert!((rates.flops / 1e12 / tflops - 1.0).abs() < 0.02, "{name}: {} TFLOP/s", rates.flops / 1e12);
        }
    }
}
