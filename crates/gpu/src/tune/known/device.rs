//! Which devices a table is for, whatever the versions of their drivers.

use serde::{Deserialize, Serialize};

use crate::AdapterSummary;
use crate::kernels::DeviceClass;

/// What devices share whose kernels take the same time: the card, the interface, the compiler, and what plans are made for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DeviceIdentity {
    /// The adapter's name without what stands in parentheses, where some drivers tell versions.
    name: String,
    /// PCI vendor and device, hexadecimal. Cards of one number may have other units and clocks, so that the name counts too.
    pci: String,
    /// The graphics API.
    backend: String,
    /// Whose driver it is: the words before the first with a digit.
    driver: String,
    /// The class that tiles are chosen for: with another one plans have other scratch.
    class: String,
}

impl DeviceIdentity {
    pub fn of(adapter: &AdapterSummary, class: DeviceClass) -> DeviceIdentity {
        let (vendor, device) = adapter.pci;
        let versionless = |word: &&str| !word.contains(|c: char| c.is_ascii_digit());
        DeviceIdentity {
            name: words(without_parentheses(&adapter.name).split_whitespace()),
            pci: format!("{vendor:04x}:{device:04x}"),
            backend: adapter.backend.clone(),
            driver: words(adapter.driver.split_whitespace().take_while(versionless)),
            class: format!("{class:?}"),
        }
    }
}

fn words<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(" ")
}

fn without_parentheses(text: &str) -> String {
    let mut depth = 0_u32;
    let outside = text.chars().filter(|c| match c {
        '(' => {
            depth += 1;
            false
        }
        ')' => {
            depth = depth.saturating_sub(1);
            false
        }
        _ => depth == 0,
    });
    outside.collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::AdapterKind;

    pub fn adapter(name: &str, driver: &str, pci: (u32, u32)) -> AdapterSummary {
        AdapterSummary {
            index: 0,
            name: name.to_owned(),
            backend: "vulkan".to_owned(),
            driver: driver.to_owned(),
            kind: AdapterKind::Discrete,
            pci,
            features: Default::default(),
            limits: Default::default(),
        }
    }

    #[test]
    fn a_device_is_the_same_with_any_version_of_its_driver_and_another_with_anothers() {
        let of = |name, driver, pci| {
            let adapter = adapter(name, driver, pci);
            DeviceIdentity::of(&adapter, DeviceClass::of(&adapter))
        };
        let card = of("AMD Radeon RX 7900 XTX (RADV NAVI31)", "radv Mesa 25.0.7-2", (0x1002, 0x744c));
        assert_eq!(card, of("AMD Radeon RX 7900 XTX (RADV NAVI31, LLVM 15)", "radv Mesa 26.1.0", (0x1002, 0x744c)));
        assert_eq!((&*card.name, &*card.pci, &*card.driver), ("AMD Radeon RX 7900 XTX", "1002:744c", "radv Mesa"));
        for other in [
            of("AMD Radeon RX 7900 XT (RADV NAVI31)", "radv Mesa 25.0.7-2", (0x1002, 0x744c)),
            of("AMD Radeon RX 7900 XTX (RADV NAVI31)", "AMD proprietary driver 24.10 (LLPC)", (0x1002, 0x744c)),
            of("AMD Radeon RX 7900 XTX (RADV NAVI31)", "radv Mesa 25.0.7-2", (0x1002, 0x73bf)),
        ] {
            assert_ne!(card, other);
        }
        let through = AdapterSummary { backend: "dx12".into(), ..adapter("NVIDIA H100", "NVIDIA 580", (0x10de, 1)) };
        assert_ne!(
            DeviceIdentity::of(&through, DeviceClass::of(&through)),
            of("NVIDIA H100", "NVIDIA 580", (0x10de, 1))
        );
        let card = adapter("NVIDIA H100", "NVIDIA 580", (0x10de, 1));
        assert_ne!(DeviceIdentity::of(&card, DeviceClass::of(&card)), DeviceIdentity::of(&card, DeviceClass::Software));
        assert_eq!(of("Intel(R) Arc(tm) A770 Graphics (DG2)", "", (0, 0)).name, "Intel Arc A770 Graphics");
        assert_eq!(of("Odd) (name", "580.159.04", (0, 0)).driver, "");
    }
}
