//! What it costs kernels to stand side by side in one dispatch, which takes the registers of the heaviest for all of them.

use std::fmt::Write;

use crate::figures::Figures;
use crate::kernels::Kernel;
use crate::report::Compiled;

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
