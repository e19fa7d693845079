//! The tables: what is worst on each chip and in each network for the document, every product and convolution for a file of figures.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};

use crate::chips::Chip;
use crate::figures::Figures;
use crate::kernels::Kernel;
use crate::limits::{KNOWN, SHARE, exception, held_to_share};

/// The compiled kernels of a chip.
pub struct Compiled {
    pub chip: &'static Chip,
    pub kernels: Vec<(Kernel, Figures)>,
    /// Of the members of each kernel, in their order; none where members were not compiled.
    pub members: Vec<Vec<Figures>>,
}

/// The line of the document behind which the tables stand; all after it is generated.
const MARK: &str = "<!-- from here on written by `cargo xtask gpu-compilers` -->";

/// Writes the tables into the document behind the mark, and every product and convolution into the file of figures.
///
/// # Errors
/// A document without the mark, or what the file system says.
pub fn write(document: &Path, figures: &Path, all: &[Compiled], version: &str) -> Result<()> {
    let text = std::fs::read_to_string(document).with_context(|| format!("cannot read {}", document.display()))?;
    let (prose, _) = text.split_once(MARK).with_context(|| format!("no line {MARK} in {}", document.display()))?;
    let text = format!("{prose}{MARK}\n\n{}", tables(all, version));
    std::fs::write(document, text).with_context(|| format!("cannot write {}", document.display()))?;
    std::fs::write(figures, rows(all)).with_context(|| format!("cannot write {}", figures.display()))
}

fn tables(all: &[Compiled], version: &str) -> String {
    let mut text = format!(
        "## Every chip\n\nMesa {version}. Shares are percent of multiply-adds among the arithmetic of the hot loop.\n\n"
    );
    text += "| chip | kernels | spilled | scratch | most registers | products and convolutions | lowest share | the kernel |\n|---|---|---|---|---|---|---|---|\n";
    for compiled in all {
        let figures = || compiled.kernels.iter().map(|(_, figures)| figures);
        let spilled: u32 = figures().map(|f| f.spilled).sum();
        let scratch: u32 = figures().map(|f| f.scratch).sum();
        let registers = figures().map(|f| f.registers).max().unwrap_or(0);
        let (name, count) = (compiled.chip.name, compiled.kernels.len());
        let held = compiled.kernels.iter().filter(|(kernel, _)| held_to_share(kernel)).count();
        let _ = write!(text, "| {name} | {count} | {spilled} | {scratch} | {registers} | {held} |");
        let _ = match lowest(compiled, |kernel| exception(compiled.chip, kernel).is_none()) {
            Some((kernel, share)) => writeln!(text, " {share:.1} % | {} |", named(kernel)),
            None => writeln!(text, " - | - |"),
        };
    }
    text += &by_network(all);
    text += &crate::beside::table(all);
    text +=
        "\n## Known limits\n\nThe exceptions in `xtask/compilers/src/limits.rs`, which the table above leaves out.\n\n";
    text += "| chip | kernel | tile | lowest share | most spilled | because |\n|---|---|---|---|---|---|\n";
    for one in KNOWN {
        let any = |text: &'static str| if text.is_empty() { "any" } else { text };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} % | {} | {} |",
            any(one.chip),
            any(one.kind),
            any(one.tile),
            one.lowest,
            one.spilled,
            one.reason
        );
    }
    text
}

/// The lowest share of each network on each chip, exceptions included.
fn by_network(all: &[Compiled]) -> String {
    let mut networks: Vec<&str> = vec![];
    for name in all.iter().flat_map(|c| &c.kernels).map(|(kernel, _)| group(kernel)) {
        if !networks.contains(&name) {
            networks.push(name);
        }
    }
    let mut text =
        format!("\n## Lowest share of each network, exceptions included\n\n| chip | {} |\n", networks.join(" | "));
    let _ = writeln!(text, "|{}", "---|".repeat(networks.len() + 1));
    for compiled in all {
        let _ = write!(text, "| {} |", compiled.chip.name);
        for network in &networks {
            let _ = match lowest(compiled, |kernel| group(kernel) == *network) {
                Some((kernel, share)) => {
                    write!(text, " {share:.1}{} |", if exception(compiled.chip, kernel).is_some() { "*" } else { "" })
                }
                None => write!(text, " - |"),
            };
        }
        text.push('\n');
    }
    let _ = writeln!(
        text,
        "\n`*`: a known limit; all others must reach {SHARE} %. `-`: the chip has no f16, or only cooperative tiles."
    );
    text
}

/// The rows of products are one group.
fn group(kernel: &Kernel) -> &str {
    match kernel.network.strip_prefix("step ") {
        Some(step) => step,
        None if kernel.network.starts_with("matmul") => {
            if kernel.network.ends_with("f16") {
                "products f16"
            } else {
                "products"
            }
        }
        None => &kernel.network,
    }
}

fn lowest(compiled: &Compiled, fits: impl Fn(&Kernel) -> bool) -> Option<(&Kernel, f64)> {
    let held = compiled.kernels.iter().filter(|(kernel, _)| held_to_share(kernel) && fits(kernel));
    let shares = held.filter_map(|(kernel, figures)| Some((kernel, figures.share()?)));
    shares.min_by(|a, b| a.1.total_cmp(&b.1))
}

fn named(kernel: &Kernel) -> String {
    format!("{} {}, {}, {}", kernel.kind, kernel.shape, kernel.tile.as_deref().unwrap_or("no tile"), group(kernel))
}

fn rows(all: &[Compiled]) -> String {
    let mut text =
        "chip,network,kernel,shape,tile,registers,occupancy,instructions,multiply_adds,arithmetic,share\n".to_owned();
    for compiled in all {
        for (kernel, figures) in compiled.kernels.iter().filter(|(kernel, _)| kernel.tile.is_some()) {
            let share = figures.share().map_or(String::new(), |share| format!("{share:.1}"));
            let Figures { registers, occupancy, instructions, multiply_adds, arithmetic, .. } = figures;
            let (tile, group) = (kernel.tile.as_deref().unwrap_or_default(), group(kernel));
            let _ = writeln!(
                text,
                "{},{group},{},{},{tile},{registers},{occupancy},{instructions},{multiply_adds},{arithmetic},{share}",
                compiled.chip.name, kernel.kind, kernel.shape
            );
        }
    }
    text
}
