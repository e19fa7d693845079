//! What a driver tells of a kernel, in one form for all of them.

use serde::{Deserialize, Serialize};

use crate::chips::Driver;
use crate::hot_loop;

/// The statistic that the worker adds to the driver's.
pub const COMPILING: &str = "Microseconds of compiling";

/// What became of a kernel.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// In the chip's own measure: VGPRs, GPRs, live registers, vec4s, halves.
    pub registers: u32,
    /// Registers that were spilled.
    pub spilled: u32,
    /// Bytes of scratch, local or stack memory a thread.
    pub scratch: u32,
    /// In the driver's own measure: waves a SIMD, warps a multiprocessor, SIMD width, waves a core, threads a core.
    pub occupancy: u32,
    pub instructions: u32,
    /// Time that the compiler computed, in microseconds.
    pub compiling: u32,
    /// Multiply-adds of the hot loop; 0 where there is none.
    pub multiply_adds: u32,
    /// Arithmetic of the hot loop.
    pub arithmetic: u32,
    /// Why there are no figures: the driver's refusal, crash or time.
    pub failed: Option<String>,
}

impl Figures {
    /// Percent of multiply-adds among the hot loop's arithmetic.
    pub fn share(&self) -> Option<f64> {
        (self.arithmetic > 0).then(|| 100.0 * f64::from(self.multiply_adds) / f64::from(self.arithmetic))
    }

    /// Reads what the worker wrote; `printed` is what the driver itself printed.
    pub fn read(driver: Driver, results: &str, printed: &str) -> Figures {
        let (statistics, texts) = parts(results);
        let sum = |names: &[&str]| -> u32 {
            let named = statistics.iter().filter(|(name, _)| names.iter().any(|n| name.eq_ignore_ascii_case(n)));
            named.filter_map(|(_, value)| value.parse::<f64>().ok()).sum::<f64>() as u32
        };
        let listing = match driver {
            Driver::Honeykrisp => printed,
            Driver::Radv => text(&texts, &["Assembly"]),
            Driver::Nvk => text(&texts, &["NAK assembly"]),
            Driver::Turnip => text(&texts, &["IR3 Assembly"]),
            Driver::Anv => text(&texts, &["GEN Assembly", "Assembly", "Final Assembly"]),
        };
        let hot = hot_loop::find(driver, listing).unwrap_or_default();
        let (registers, occupancy): (&[&str], &[&str]) = match driver {
            Driver::Radv => (&["VGPRs"], &["Subgroups per SIMD"]),
            Driver::Nvk => (&["Number of GPRs"], &["Max warps/SM"]),
            Driver::Anv => (&["Max live registers"], &["Max dispatch width"]),
            Driver::Turnip => (&["Registers used"], &["Max Waves Per Core"]),
            Driver::Honeykrisp => (&["GPRs"], &["Threads"]),
        };
        Figures {
            registers: sum(registers),
            spilled: sum(&["Spilled VGPRs", "Spilled SGPRs", "Spills to memory", "STP Count", "Spills", "Spill count"]),
            scratch: sum(&["Scratch size", "SLM size", "Scratch", "Scratch Memory Size", "Spill Size"]),
            occupancy: sum(occupancy),
            instructions: sum(&["Instructions", "Instruction count"]),
            compiling: sum(&[COMPILING]),
            multiply_adds: hot.multiply_adds,
            arithmetic: hot.arithmetic,
            failed: None,
        }
    }
}

type Pairs<'a> = Vec<(&'a str, &'a str)>;

/// Statistics and texts of the worker's results.
fn parts(results: &str) -> (Pairs<'_>, Pairs<'_>) {
    let (mut statistics, mut texts, mut rest) = (vec![], vec![], results);
    while let Some((line, after)) = rest.split_once('\n') {
        rest = after;
        let mut fields = line.splitn(3, '\t');
        match (fields.next(), fields.next(), fields.next()) {
            (Some("stat"), Some(name), Some(value)) => statistics.push((name, value)),
            (Some("text"), Some(name), Some(length)) => {
                let length = length.parse::<usize>().unwrap_or(0).min(rest.len());
                texts.push((name, &rest[..length]));
                rest = &rest[length..];
            }
            _ => {}
        }
    }
    (statistics, texts)
}

fn text<'a>(texts: &[(&str, &'a str)], names: &[&str]) -> &'a str {
    texts.iter().find(|(name, _)| names.contains(name)).map_or("", |(_, text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_spills_and_the_loop_are_read_from_a_drivers_answer() {
        let code = "BB1:\n v_fma_f32 v0, v1, v2, v3\n v_mov_b32 v0, v1\n s_cbranch_scc1 BB1";
        let results = format!(
            "stat\tVGPRs\t48\nstat\tSpilled SGPRs\t3\nstat\tScratch size\t16\ntext\tAssembly\t{}\n{code}\n",
            code.len()
        );
        let figures = Figures::read(Driver::Radv, &results, "");
        assert_eq!((figures.registers, figures.spilled, figures.scratch), (48, 3, 16));
        assert_eq!(figures.share(), Some(50.0));
    }
}
