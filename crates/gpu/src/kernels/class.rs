//! The kinds of device that variants are chosen for: software, and GPUs by the registers of a thread and by their size.
//!
//! Which tile spills where is known from the vendors' compilers, without hardware: docs/gpu-compilers.md.

use super::units;
use crate::{AdapterKind, AdapterSummary};

/// What is known of a device before it has run anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeviceClass {
    /// Shaders run on the CPU: workgroup memory and barriers cost there and gain nothing.
    Software,
    /// A GPU.
    Gpu(Registers, Size),
}

/// What a thread can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Registers {
    /// 8x8 sums with all that is around them.
    Plenty,
    /// 8x4 sums: 8x8 spill (Intel at every subgroup size, Apple, Mali, Adreno 6xx).
    Few,
}

/// How many workgroups it takes to fill the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// Up to 24 units: most integrated GPUs.
    Small,
    /// Up to 96, and whatever is not known.
    Medium,
    /// More.
    Large,
    /// More, with memory that keeps up: stacked on the chip's package, some 15 operations a byte instead of 30 to 80.
    Server,
}

impl DeviceClass {
    /// Every class, in the order of [`DeviceClass::index`].
    pub const ALL: [DeviceClass; 9] = [
        DeviceClass::Software,
        DeviceClass::Gpu(Registers::Plenty, Size::Small),
        DeviceClass::Gpu(Registers::Plenty, Size::Medium),
        DeviceClass::Gpu(Registers::Plenty, Size::Large),
        DeviceClass::Gpu(Registers::Plenty, Size::Server),
        DeviceClass::Gpu(Registers::Few, Size::Small),
        DeviceClass::Gpu(Registers::Few, Size::Medium),
        DeviceClass::Gpu(Registers::Few, Size::Large),
        DeviceClass::Gpu(Registers::Few, Size::Server),
    ];

    /// Where the class stands in [`DeviceClass::ALL`].
    pub fn index(self) -> usize {
        match self {
            DeviceClass::Software => 0,
            DeviceClass::Gpu(registers, size) => 1 + 4 * registers as usize + size as usize,
        }
    }

    /// The class of an adapter.
    pub fn of(adapter: &AdapterSummary) -> DeviceClass {
        match adapter.kind {
            AdapterKind::Software => DeviceClass::Software,
            AdapterKind::Discrete | AdapterKind::Integrated | AdapterKind::Virtual | AdapterKind::Other => {
                DeviceClass::Gpu(registers(adapter), size(adapter))
            }
        }
    }
}

const QUALCOMM: u32 = 0x5143;

fn registers(adapter: &AdapterSummary) -> Registers {
    // Metal tells subgroups of 4 to 64 for every GPU, so that Apple's are known by name.
    if adapter.name.starts_with("Apple ") {
        return Registers::Few;
    }
    let old_adreno = adapter.pci.0 == QUALCOMM && adapter.name.contains("(TM) 6");
    let narrow = adapter.features.subgroups.is_some_and(|(smallest, _)| smallest <= 16);
    // The largest tile needs all that a portable device must have.
    let little = adapter.limits.workgroup_bytes < 16 << 10 || adapter.limits.workgroup_invocations < 256;
    if old_adreno || narrow || little { Registers::Few } else { Registers::Plenty }
}

/// Parts of the names of devices with stacked memory.
const SERVERS: &[&str] = &["V100", "A100", "H100", "H200", "B200", "MI210", "MI250", "MI300X"];

fn size(adapter: &AdapterSummary) -> Size {
    if SERVERS.iter().any(|name| units::contains_word(&adapter.name, name)) {
        return Size::Server;
    }
    match units::of(&adapter.name) {
        Some(0..=24) => Size::Small,
        Some(25..=96) => Size::Medium,
        Some(_) => Size::Large,
        None if adapter.kind == AdapterKind::Integrated => Size::Small,
        None => Size::Medium,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AdapterLimits;

    fn adapter(name: &str, kind: AdapterKind, vendor: u32, subgroups: (u32, u32)) -> AdapterSummary {
        let limits = AdapterLimits { workgroup_bytes: 32 << 10, workgroup_invocations: 1024, ..Default::default() };
        AdapterSummary {
            index: 0,
            name: name.to_owned(),
            backend: "vulkan".to_owned(),
            driver: String::new(),
            kind,
            pci: (vendor, 0),
            features: crate::AdapterFeatures { subgroups: Some(subgroups), ..Default::default() },
            limits,
        }
    }

    #[test]
    fn the_index_of_a_class_is_its_place_in_the_list() {
        for (i, class) in DeviceClass::ALL.iter().enumerate() {
            assert_eq!(class.index(), i, "{class:?}");
        }
    }

    #[test]
    fn adapters_are_classed_by_registers_and_size() {
        use AdapterKind::{Discrete, Integrated};
        let cases = [
            ("NVIDIA GeForce RTX 4090", Discrete, 0x10de, (32, 32), Registers::Plenty, Size::Large),
            ("NVIDIA H100 80GB HBM3", Discrete, 0x10de, (32, 32), Registers::Plenty, Size::Server),
            ("NVIDIA GeForce RTX 3060", Discrete, 0x10de, (32, 32), Registers::Plenty, Size::Medium),
            ("AMD Radeon RX 7900 XTX (RADV NAVI31)", Discrete, 0x1002, (32, 64), Registers::Plenty, Size::Medium),
            ("Intel(R) Arc(tm) A770 Graphics (DG2)", Discrete, 0x8086, (8, 32), Registers::Few, Size::Medium),
            ("Intel(R) Iris(R) Xe Graphics (TGL GT2)", Integrated, 0x8086, (8, 32), Registers::Few, Size::Small),
            ("Turnip Adreno (TM) 660", Integrated, QUALCOMM, (64, 128), Registers::Few, Size::Small),
            ("Turnip Adreno (TM) 740", Integrated, QUALCOMM, (64, 128), Registers::Plenty, Size::Small),
            ("Apple M1", Integrated, 0, (4, 64), Registers::Few, Size::Small),
            ("Apple M2 Max", Integrated, 0, (4, 64), Registers::Few, Size::Medium),
            ("Mali-G610", Integrated, 0x13b5, (16, 16), Registers::Few, Size::Small),
            ("A card of next year", Discrete, 0x10de, (32, 32), Registers::Plenty, Size::Medium),
        ];
        for (name, kind, vendor, subgroups, registers, size) in cases {
            assert_eq!(
                DeviceClass::of(&adapter(name, kind, vendor, subgroups)),
                DeviceClass::Gpu(registers, size),
                "{name}"
            );
        }
        let software = adapter("llvmpipe", AdapterKind::Software, 0x10005, (8, 8));
        assert_eq!(DeviceClass::of(&software), DeviceClass::Software);
    }

    #[test]
    fn a_device_with_less_than_portable_workgroups_gets_no_large_tile() {
        let mut small = adapter("Anything", AdapterKind::Discrete, 0, (32, 32));
        small.limits.workgroup_invocations = 128;
        assert_eq!(DeviceClass::of(&small), DeviceClass::Gpu(Registers::Few, Size::Medium));
    }
}
