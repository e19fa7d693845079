//! Files made of others by small damages, for readers that must never panic, hang, or ask for more memory than a file is worth.

/// Numbers without a pattern (xorshift64*, of a seed that is not 0).
pub struct Numbers(pub u64);

impl Numbers {
    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end
    }
}

/// Bytes at which readers look twice: ends of ranges, lengths, tags.
const ODD: [u8; 12] = [0, 1, 2, 0x7f, 0x80, 0xff, 0xfe, 0x08, 0x0a, 0x12, b'(', b'.'];

/// One to eight damages; in every other file one or two that leave all else in its place, so that more of it is still understood.
pub fn damaged(whole: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    let gentle = numbers.below(2) == 0;
    for _ in 0..=numbers.below(if gentle { 2 } else { 8 }) {
        if bytes.is_empty() {
            return bytes;
        }
        let at = numbers.below(bytes.len());
        // Heads tell more than what lies behind them.
        let at = if numbers.below(2) == 0 { at % 512.min(bytes.len()) } else { at };
        let some = (1 + numbers.below(16)).min(bytes.len() - at);
        match numbers.below(if gentle { 2 } else { 7 }) {
            0 => bytes[at] ^= 1 << numbers.below(8),
            1 => bytes[at] = ODD[numbers.below(ODD.len())],
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..at + some)),
            4 => {
                let copy = bytes[at..at + some].to_vec();
                let to = numbers.below(bytes.len());
                bytes.splice(to..to, copy);
            }
            5 => bytes[at..at + some].fill(ODD[numbers.below(ODD.len())]),
            _ => {
                let number = (numbers.below(1 << 31) as u64) << numbers.below(33);
                let end = (at + 8).min(bytes.len());
                bytes[at..end].copy_from_slice(&number.to_le_bytes()[..end - at]);
            }
        }
    }
    bytes
}

/// How many files are made: `CHIARO_FUZZ_RUNS`, or so many.
pub fn runs(usual: usize) -> usize {
    std::env::var("CHIARO_FUZZ_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// The most memory that this process ever had, in bytes; where the system does not tell, 0.
pub fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|l| l.trim().trim_end_matches("kB").trim().parse::<usize>().ok()).unwrap_or(0) * 1024
}
