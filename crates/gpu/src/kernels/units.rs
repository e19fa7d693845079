//! Compute units of the devices that no graphics API counts: multiprocessors, compute units, Xe cores, GPU cores.

/// Part of a device's name, and its units; from the vendors' data sheets.
const UNITS: &[(&str, u32)] = &[
    ("GTX 1060", 10),
    ("GTX 1070", 15),
    ("GTX 1080", 20),
    ("GTX 1080 Ti", 28),
    ("GTX 1650", 14),
    ("GTX 1660", 22),
    ("RTX 2060", 30),
    ("RTX 2070", 36),
    ("RTX 2080", 46),
    ("RTX 2080 Ti", 68),
    ("RTX 3050", 20),
    ("RTX 3060", 28),
    ("RTX 3060 Ti", 38),
    ("RTX 3070", 46),
    ("RTX 3080", 68),
    ("RTX 3080 Ti", 80),
    ("RTX 3090", 82),
    ("RTX 4060", 24),
    ("RTX 4060 Ti", 34),
    ("RTX 4070", 46),
    ("RTX 4070 Ti", 60),
    ("RTX 4080", 76),
    ("RTX 4090", 128),
    ("RTX 5060", 30),
    ("RTX 5060 Ti", 36),
    ("RTX 5070", 48),
    ("RTX 5070 Ti", 70),
    ("RTX 5080", 84),
    ("RTX 5090", 170),
    ("Tesla T4", 40),
    ("Tesla V100", 80),
    ("NVIDIA A10", 72),
    ("NVIDIA A40", 84),
    ("NVIDIA A100", 108),
    ("NVIDIA L4", 58),
    ("NVIDIA L40", 142),
    ("NVIDIA H100", 132),
    ("NVIDIA H100 PCIe", 114),
    ("NVIDIA H200", 132),
    ("NVIDIA B200", 148),
    ("RX 6600", 28),
    ("RX 6700", 40),
    ("RX 6800", 60),
    ("RX 6800 XT", 72),
    ("RX 6900 XT", 80),
    ("RX 6950 XT", 80),
    ("RX 7600", 32),
    ("RX 7700 XT", 54),
    ("RX 7800 XT", 60),
    ("RX 7900 GRE", 80),
    ("RX 7900 XT", 84),
    ("RX 7900 XTX", 96),
    ("RX 9060 XT", 32),
    ("RX 9070", 56),
    ("RX 9070 XT", 64),
    ("Radeon 680M", 12),
    ("Radeon 780M", 12),
    ("Radeon 890M", 16),
    ("Radeon 8060S", 40),
    ("Instinct MI210", 104),
    ("Instinct MI250", 104),
    ("Instinct MI300X", 304),
    ("A380", 8),
    ("A580", 24),
    ("A750", 28),
    ("A770", 32),
    ("B570", 18),
    ("B580", 20),
    ("Apple M1", 8),
    ("Apple M1 Pro", 16),
    ("Apple M1 Max", 32),
    ("Apple M1 Ultra", 64),
    ("Apple M2", 10),
    ("Apple M2 Pro", 19),
    ("Apple M2 Max", 38),
    ("Apple M2 Ultra", 76),
    ("Apple M3", 10),
    ("Apple M3 Pro", 18),
    ("Apple M3 Max", 40),
    ("Apple M3 Ultra", 80),
    ("Apple M4", 10),
    ("Apple M4 Pro", 20),
    ("Apple M4 Max", 40),
];

/// The units of the device of this name, if it is known; of several entries in the name the longest counts.
pub fn of(name: &str) -> Option<u32> {
    let found = UNITS.iter().filter(|(part, _)| contains_word(name, part));
    found.max_by_key(|(part, _)| part.len()).map(|&(_, units)| units)
}

/// Whether `part` stands in `name` and no letter or digit follows it: an A100 is no A10.
pub(super) fn contains_word(name: &str, part: &str) -> bool {
    name.match_indices(part).any(|(at, _)| !name[at + part.len()..].starts_with(|c: char| c.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn the_longest_entry_that_is_a_whole_word_counts() {
        let cases = [
            ("NVIDIA GeForce RTX 2080 Ti", Some(68)),
            ("NVIDIA GeForce RTX 4070 Laptop GPU", Some(46)),
            ("NVIDIA A100-SXM4-80GB", Some(108)),
            ("NVIDIA A10G", None),
            ("NVIDIA L40S", None),
            ("AMD Radeon RX 7900 XTX (RADV NAVI31)", Some(96)),
            ("Intel(R) Arc(tm) A770M Graphics (DG2)", None),
            ("Apple M2 Ultra", Some(76)),
            ("Voodoo 2", None),
        ];
        for (name, units) in cases {
            assert_eq!(of(name), units, "{name}");
        }
    }
}
