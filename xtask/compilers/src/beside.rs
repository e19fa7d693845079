//! What it costs kernels to stand side by side in one dispatch, which takes the registers of the heaviest for all of them.

use std::fmt::Write;

use crate::chips::{Chip, Driver};
use crate::figures::Figures;
use crate::kernels::Kernel;
use crate::report::Compiled;

/// Registers by which a dispatch may exceed its heaviest kernel: compilers give them out by eights, Xe2's by sixteens, and it has numbers of
/// its own.
const REGISTERS: u32 = 16;
/// Percent of the subgroups of its kernels alone that a dispatch must keep: two large transforms keep 68 on AMD.
const KEPT: f64 = 66.0;
/// The same on Adreno, where a kernel of 9 vectors has 16 waves a core and one of 24 has 8: second passes of weight gradients and plain
/// transforms are heavy there, which no rule for all devices says.
const KEPT_BY_ADRENO: f64 = 50.0;
/// Invocations that 64 units run at once with half of the subgroups that they have room for.
const AT_ONCE: u64 = 64 << 10;

/// A dispatch of several kernels, beside those as they are alone.
pub struct Joined<'a> {
    pub kernel: &'a Kernel,
    pub figures: &'a Figures,
    pub members: Vec<(&'a Kernel, &'a Figures)>,
}

/// The dispatches of several kernels whose members were compiled too.
pub fn of(compiled: &Compiled) -> impl Iterator<Item = Joined<'_>> {
    let all = compiled.kernels.iter().zip(&compiled.members).filter(|(_, members)| !members.is_empty());
    all.map(|((kernel, figures), members)| Joined {
        kernel,
        figures,
        members: kernel.members.iter().zip(members).collect(),
    })
}

impl Joined<'_> {
    /// Registers beyond those of the heaviest member.
    fn more_registers(&self) -> u32 {
        let most = self.members.iter().map(|(_, figures)| figures.registers).max().unwrap_or(0);
        self.figures.registers.saturating_sub(most)
    }

    /// Percent of the subgroups that its invocations would have at once in dispatches of their own; none where all of them run at once anyway.
    fn kept(&self) -> Option<f64> {
        let weighed = |share: fn(u32, u32) -> f64| -> f64 {
            let of = |(kernel, figures): &(&Kernel, &Figures)| {
                kernel.invocations as f64 * share(self.figures.occupancy, figures.occupancy)
            };
            self.members.iter().map(of).sum()
        };
        let all = weighed(|_, _| 1.0);
        let kept = weighed(|together, alone| (f64::from(together) / f64::from(alone.max(1))).min(1.0));
        (self.kernel.invocations > AT_ONCE).then_some(100.0 * kept / all)
    }

    /// What is wrong with it on a chip; empty if nothing is.
    pub fn faults(&self, chip: &Chip) -> Vec<String> {
        let least = if chip.driver == Driver::Turnip { KEPT_BY_ADRENO } else { KEPT };
        let (mut faults, more) = (vec![], self.more_registers());
        if more > REGISTERS {
            faults.push(format!("{more} registers more than its heaviest kernel"));
        }
        if let Some(kept) = self.kept().filter(|kept| *kept < least) {
            faults.push(format!("its kernels keep {kept:.0} % of the subgroups that they have alone, below {least}"));
        }
        faults
    }
}

/// A table of what it costs, a row a chip.
pub fn table(all: &[Compiled]) -> String {
    let mut text = format!(
        "\n## Side by side\n\nDispatches of several short kernels, beside the same kernels in dispatches of their own. A dispatch has the registers of its \
         heaviest kernel: {REGISTERS} more are a fault, and so is one of more than {AT_ONCE} invocations whose kernels keep less than {KEPT} % ({KEPT_BY_ADRENO} on Adreno) of their \
         subgroups. `beside.csv` has them all.\n\n"
    );
    text += "| chip | dispatches | kernels in them | most registers more | least subgroups kept | the dispatch | code | compiling |\n|---|---|---|---|---|---|---|---|\n";
    for compiled in all {
        let joined: Vec<Joined> = of(compiled).collect();
        let members = || joined.iter().flat_map(|one| &one.members);
        let more = joined.iter().map(Joined::more_registers).max().unwrap_or(0);
        let least = joined.iter().filter_map(|one| Some((one.kept()?, one.kernel)));
        let least = least.min_by(|a, b| a.0.total_cmp(&b.0)).map_or("- | -".into(), |(kept, kernel)| {
            format!("{kept:.0} % | {}, {}", kernel.kind, kernel.network.trim_start_matches("step "))
        });
        let ratio = |of: fn(&Figures) -> u32| {
            let together: u64 = joined.iter().map(|one| u64::from(of(one.figures))).sum();
            let alone: u64 = members().map(|(_, figures)| u64::from(of(figures))).sum();
            format!("{:.2}x", together as f64 / alone.max(1) as f64)
        };
        let (name, dispatches, kernels) = (compiled.chip.name, joined.len(), members().count());
        let (code, time) = (ratio(|figures| figures.instructions), ratio(|figures| figures.compiling));
        let _ = writeln!(text, "| {name} | {dispatches} | {kernels} | {more} | {least} | {code} | {time} |");
    }
    text
}

/// Every dispatch of several kernels and every member as lines of a CSV.
pub fn rows(all: &[Compiled]) -> String {
    let mut text = "chip,network,file,member,kernel,invocations,workgroup_bytes,registers,occupancy,instructions,spilled,compiling_us\n".to_owned();
    for compiled in all {
        for joined in of(compiled) {
            let members =
                joined.members.iter().enumerate().map(|(i, (kernel, figures))| (i.to_string(), *kernel, *figures));
            for (member, kernel, figures) in
                std::iter::once((String::new(), joined.kernel, joined.figures)).chain(members)
            {
                let Figures { registers, occupancy, instructions, spilled, compiling, .. } = figures;
                let (Kernel { invocations, workgroup_bytes, kind, network, .. }, file) = (kernel, &joined.kernel.file);
                let chip = compiled.chip.name;
                let _ = writeln!(
                    text,
                    "{chip},{network},{file},{member},{kind},{invocations},{workgroup_bytes},{registers},{occupancy},{instructions},{spilled},{compiling}"
                );
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_kernel_beside_one_of_many_registers_is_a_fault() -> anyhow::Result<()> {
        let [large, small] = [Chip::of("amd-rdna3")?, Chip::of("qualcomm-a740")?];
        let kernel = |invocations, members| Kernel {
            network: "step".into(),
            file: "0".into(),
            kind: "Pointwise".into(),
            shape: "1".into(),
            tile: None,
            limit: None,
            bindings: 3,
            invocations,
            workgroup_bytes: 0,
            members,
            spirv: "0.spv".into(),
            bytes: vec![],
        };
        let figures = |registers, occupancy| Figures { registers, occupancy, ..Figures::default() };
        let faults_of = |chip: &Chip, long: u64, together: Figures| {
            let all = kernel(long + 1000, vec![kernel(long, vec![]), kernel(1000, vec![])]);
            let alone = [figures(36, 32), figures(96, 16)];
            let members = all.members.iter().zip(&alone).collect();
            Joined { kernel: &all, figures: &together, members }.faults(chip).len()
        };
        let faults = |long: u64, together: Figures| faults_of(large, long, together);
        assert_eq!(faults_of(small, 1 << 20, figures(96, 16)), 0, "half are enough there");
        assert_eq!(faults(1 << 20, figures(96, 16)), 1, "half of the subgroups");
        assert_eq!(faults(1 << 10, figures(96, 16)), 0, "all run at once");
        assert_eq!(faults(1 << 10, figures(113, 14)), 1, "17 registers more");
        assert_eq!(faults(1 << 20, figures(36, 32)), 0);
        Ok(())
    }
}
