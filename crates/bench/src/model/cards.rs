//! The cards that the model knows, from data sheets and whitepapers: rates at the boost clock, which no card holds for long.

use super::Rates;

/// A card.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Card {
    /// As its driver names it, for choosing its kernels.
    pub name: &'static str,
    /// PCI number of the vendor; 0 where the API has none.
    pub vendor: u32,
    /// Compute units as workgroups see them: multiprocessors, compute units, Xe cores, GPU cores.
    pub units: u32,
    /// Boost clock in GHz.
    pub clock: f64,
    /// f32 operations of a unit in a clock, a multiply-add counting two.
    pub flops: u32,
    /// Operations of a unit's matrix units in a clock, f16 with f32 sums; 0 where there are none.
    pub matrix_flops: u32,
    /// Bytes that a unit's workgroup memory moves in a clock.
    pub near_bytes: u32,
    /// GB/s of the card's memory.
    pub memory: f64,
    /// Smallest and largest subgroup.
    pub subgroups: (u32, u32),
    /// Size of the cooperative matrices that wgpu can use; 0 where there are none.
    pub matrix: u32,
    /// Bytes of workgroup memory that a workgroup can have.
    pub workgroup_bytes: u32,
}

/// Clocks from a load of the card's memory to its value: 466 on A100, 479 on H100 PCIe, 542 on RTX 4090 (arXiv:2402.13499).
const LATENCY: f64 = 500.0;

/// Seconds between dependent dispatches. An estimate until a card tells: `chiaro bench --filter "empty dispatches"`.
const GAP: f64 = 2e-6;

const NVIDIA: u32 = 0x10de;
const AMD: u32 = 0x1002;
const INTEL: u32 = 0x8086;

impl Card {
    /// A card that nothing is known of: a mid-sized one.
    pub const UNKNOWN: Card = Card {
        name: "an unknown card",
        vendor: 0,
        units: 32,
        clock: 2.0,
        flops: 256,
        matrix_flops: 0,
        near_bytes: 128,
        memory: 400.0,
        subgroups: (32, 32),
        matrix: 0,
        workgroup_bytes: 32 << 10,
    };

    /// The first card whose name contains this, in any case.
    pub fn named(text: &str) -> Option<&'static Card> {
        let wanted = text.trim().to_lowercase();
        CARDS.iter().find(|card| !wanted.is_empty() && card.name.to_lowercase().contains(&wanted))
    }

    /// The card that an adapter of this name is; the longest name that stands in it counts.
    pub fn of_adapter(adapter: &str) -> Option<&'static Card> {
        CARDS.iter().filter(|card| adapter.contains(card.name)).max_by_key(|card| card.name.len())
    }

    /// Its rates.
    pub fn rates(&self) -> Rates {
        let per_second = |in_a_clock: u32| f64::from(self.units) * self.clock * 1e9 * f64::from(in_a_clock);
        Rates {
            units: self.units,
            flops: per_second(self.flops),
            // Without matrix units f16 is multiplied as f32 is.
            matrix_flops: per_second(self.matrix_flops.max(self.flops)),
            bytes: self.memory * 1e9,
            near_bytes: per_second(self.near_bytes),
            latency: LATENCY / (self.clock * 1e9),
            gap: GAP,
        }
    }
}

/// Every card. A unit's rates: NVIDIA's architecture whitepapers (128 lanes; matrix units of 1024 multiply-adds on A100, 2048 on
/// H100, 256 with f32 sums on GeForce 30 and 40; 128 bytes of shared memory a clock), AMD's RDNA3 instruction set document (64 lanes of which two
/// instructions issue at once, 256 matrix multiply-adds; LDS 64 bytes a clock of a compute unit), Intel's Xe-HPG whitepaper (16 engines of 8 lanes, shared
/// local memory 128 bytes a clock), and for Apple 128 lanes a core (2.6 TFLOP/s of the M1 at 1.278 GHz) with an estimate of 64 bytes.
#[rustfmt::skip]
pub const CARDS: &[Card] = &[
    // NVIDIA H100 data sheet: 66.9 TFLOP/s f32, 989.4 TFLOP/s f16 (at 1.83 GHz; here at the 1.98 GHz of the f32 figure), 3.35 TB/s.
    Card { name: "NVIDIA H100 80GB HBM3", vendor: NVIDIA, units: 132, clock: 1.98, flops: 256, matrix_flops: 4096, near_bytes: 128, memory: 3350.0, subgroups: (32, 32), matrix: 16, workgroup_bytes: 48 << 10 },
    // NVIDIA H100 PCIe: 51 TFLOP/s, 2.0 TB/s.
    Card { name: "NVIDIA H100 PCIe", vendor: NVIDIA, units: 114, clock: 1.755, flops: 256, matrix_flops: 4096, near_bytes: 128, memory: 2000.0, subgroups: (32, 32), matrix: 16, workgroup_bytes: 48 << 10 },
    // NVIDIA H200 data sheet: as the H100, 4.8 TB/s.
    Card { name: "NVIDIA H200", vendor: NVIDIA, units: 132, clock: 1.98, flops: 256, matrix_flops: 4096, near_bytes: 128, memory: 4800.0, subgroups: (32, 32), matrix: 16, workgroup_bytes: 48 << 10 },
    // NVIDIA A100 whitepaper: 19.5 TFLOP/s f32 (64 lanes a unit), 312 TFLOP/s f16, 1.555 TB/s (40 GB).
    Card { name: "NVIDIA A100-SXM4-40GB", vendor: NVIDIA, units: 108, clock: 1.41, flops: 128, matrix_flops: 2048, near_bytes: 128, memory: 1555.0, subgroups: (32, 32), matrix: 16, workgroup_bytes: 48 << 10 },
    // NVIDIA Ada whitepaper: 82.6 TFLOP/s f32, 165.2 TFLOP/s f16 with f32 sums, 1008 GB/s.
    Card { name: "NVIDIA GeForce RTX 4090", vendor: NVIDIA, units: 128, clock: 2.52, flops: 256, matrix_flops: 512, near_bytes: 128, memory: 1008.0, subgroups: (32, 32), matrix: 16, workgroup_bytes: 48 << 10 },
    // NVIDIA Ampere GA102 whitepaper: RTX 3060, 12.7 TFLOP/s, 360 GB/s.
    Card { name: "NVIDIA GeForce RTX 3060", vendor: NVIDIA, units: 28, clock: 1.78, flops: 256, matrix_flops: 512, near_bytes: 128, memory: 360.0, subgroups: (32, 32), matrix: 16, workgroup_bytes: 48 << 10 },
    // AMD product page: 61.4 TFLOP/s f32 (two instructions at once), 122.8 TFLOP/s f16 matrix, 960 GB/s.
    Card { name: "AMD Radeon RX 7900 XTX", vendor: AMD, units: 96, clock: 2.5, flops: 256, matrix_flops: 512, near_bytes: 64, memory: 960.0, subgroups: (32, 64), matrix: 16, workgroup_bytes: 64 << 10 },
    // Intel product page: 32 Xe cores at 2.1 GHz (graphics clock) to 2.4 GHz, 19.7 TFLOP/s, 560 GB/s. naga knows none of its matrices.
    Card { name: "Intel(R) Arc(tm) A770 Graphics", vendor: INTEL, units: 32, clock: 2.4, flops: 256, matrix_flops: 0, near_bytes: 128, memory: 560.0, subgroups: (8, 32), matrix: 0, workgroup_bytes: 32 << 10 },
    // Apple: 8 cores, 2.6 TFLOP/s, 68.25 GB/s.
    Card { name: "Apple M1", vendor: 0, units: 8, clock: 1.278, flops: 256, matrix_flops: 0, near_bytes: 64, memory: 68.25, subgroups: (4, 64), matrix: 8, workgroup_bytes: 32 << 10 },
    // Apple: 10 cores, 3.6 TFLOP/s, 100 GB/s.
    Card { name: "Apple M2", vendor: 0, units: 10, clock: 1.398, flops: 256, matrix_flops: 0, near_bytes: 64, memory: 100.0, subgroups: (4, 64), matrix: 8, workgroup_bytes: 32 << 10 },
];
