//! Which adapter a word like `gpu`, `gpu:1` or `gpu:radeon` means. Pure, so that machines nobody has can be tested.

use std::str::FromStr;

use crate::device::adapter::{AdapterKind, AdapterSummary, backend_rank};
use crate::device::error::GpuError;

/// What the user asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Selection {
    /// The best real GPU; never a software adapter. Written `gpu`.
    #[default]
    Auto,
    /// The adapter at this place of the list. Written `gpu:1`.
    Index(usize),
    /// The first adapter whose name, backend or driver contains this, in any case. Written `gpu:radeon`.
    Name(String),
    /// The first software adapter. Written `gpu:software`.
    Software,
}

impl FromStr for Selection {
    type Err = GpuError;

    /// Reads `gpu`, `gpu:INDEX`, `gpu:software` or `gpu:NAME`; the prefix `gpu:` may be left out of a name.
    fn from_str(text: &str) -> Result<Self, GpuError> {
        let text = text.trim();
        let wanted = match text.get(..4) {
            Some(prefix) if prefix.eq_ignore_ascii_case("gpu:") => text[4..].trim(),
            _ => text,
        };
        Ok(if wanted.is_empty() || wanted.eq_ignore_ascii_case("gpu") {
            Self::Auto
        } else if wanted.eq_ignore_ascii_case("software") {
            Self::Software
        } else if let Ok(index) = wanted.parse() {
            Self::Index(index)
        } else {
            Self::Name(wanted.to_owned())
        })
    }
}

/// The order of the list: best kind first, then the preferred backend; equal ones stay as the system has them.
pub(crate) fn rank(summary: &AdapterSummary) -> (AdapterKind, usize) {
    (summary.kind, backend_rank(&summary.backend))
}

/// The place of the adapter that `selection` means in `adapters` (sorted by [`rank`]), and why.
pub(crate) fn choose(adapters: &[AdapterSummary], selection: &Selection) -> Result<(usize, String), GpuError> {
    match selection {
        Selection::Auto => automatic(adapters),
        Selection::Software => adapters
            .iter()
            .position(|adapter| adapter.kind == AdapterKind::Software)
            .map(|index| (index, "a software adapter was asked for".to_owned()))
            .ok_or_else(|| GpuError::NoAdapter {
                found: "there is no software adapter".to_owned(),
                hint: SOFTWARE_HINT.to_owned(),
            }),
        Selection::Index(index) if *index < adapters.len() => Ok((*index, format!("index {index} was asked for"))),
        // "4090" is more likely part of a name than the 4090th adapter.
        Selection::Index(index) => by_name(adapters, &index.to_string()),
        Selection::Name(name) => by_name(adapters, name),
    }
}

fn automatic(adapters: &[AdapterSummary]) -> Result<(usize, String), GpuError> {
    let real: Vec<_> =
        adapters.iter().enumerate().filter(|(_, adapter)| adapter.kind != AdapterKind::Software).collect();
    let Some((index, best)) = real.first() else {
        return Err(no_gpu(adapters));
    };
    let why = if real.len() == 1 {
        format!("the only GPU ({})", best.kind)
    } else if real.iter().skip(1).any(|(_, other)| same(best, other)) {
        format!("the first {} of {}, through {} rather than another API", best.kind, real.len(), best.backend)
    } else {
        format!("the first {} of {} adapters", best.kind, real.len())
    };
    Ok((*index, why))
}

/// Whether two entries are one adapter seen through two backends.
fn same(left: &AdapterSummary, right: &AdapterSummary) -> bool {
    let known = left.pci != (0, 0) && right.pci != (0, 0);
    left.backend != right.backend && if known { left.pci == right.pci } else { left.name == right.name }
}

fn by_name(adapters: &[AdapterSummary], wanted: &str) -> Result<(usize, String), GpuError> {
    let lower = wanted.to_lowercase();
    let matches = |adapter: &AdapterSummary| {
        [&adapter.name, &adapter.backend, &adapter.driver].iter().any(|text| text.to_lowercase().contains(&lower))
    };
    let exact = adapters.iter().position(|adapter| adapter.name.to_lowercase() == lower);
    let count = adapters.iter().filter(|adapter| matches(adapter)).count();
    match exact.or_else(|| adapters.iter().position(matches)) {
        Some(index) if count > 1 && exact.is_none() => {
            Ok((index, format!("the best of {count} adapters that match '{wanted}'")))
        }
        Some(index) => Ok((index, format!("'{wanted}' was asked for"))),
        None => Err(GpuError::UnknownAdapter {
            wanted: wanted.to_owned(),
            available: adapters.iter().map(|adapter| format!("gpu:{} {adapter}", adapter.index)).collect(),
        }),
    }
}

const SOFTWARE_HINT: &str = "On Debian and Ubuntu `apt-get install mesa-vulkan-drivers` (version 25 or later) brings one; \
     the CPU backend is much faster and needs nothing";

fn no_gpu(adapters: &[AdapterSummary]) -> GpuError {
    match adapters.first() {
        Some(software) => GpuError::NoAdapter {
            found: format!("only the software adapter {software} is here"),
            hint: "Use the CPU backend, which is faster, or ask for the software adapter with `gpu:software`"
                .to_owned(),
        },
        None => GpuError::NoAdapter {
            found: "no driver answered".to_owned(),
            hint: if cfg!(target_os = "linux") {
                "Install the GPU's Vulkan driver (mesa-vulkan-drivers for AMD and Intel, the NVIDIA driver for \
                 NVIDIA) and libvulkan1, or use the CPU backend"
            } else {
                "Install the graphics driver of the GPU's maker, or use the CPU backend"
            }
            .to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AdapterKind::{Discrete, Integrated, Software};

    fn machine(rows: &[(&str, &str, AdapterKind, u32)]) -> Vec<AdapterSummary> {
        let mut list: Vec<_> = rows
            .iter()
            .map(|(name, backend, kind, device)| AdapterSummary {
                index: 0,
                name: (*name).to_owned(),
                backend: (*backend).to_owned(),
                driver: format!("{name} driver"),
                kind: *kind,
                pci: (*device, *device),
                features: Default::default(),
                limits: Default::default(),
            })
            .collect();
        list.sort_by_key(rank);
        for (index, entry) in list.iter_mut().enumerate() {
            entry.index = index;
        }
        list
    }

    fn laptop() -> Vec<AdapterSummary> {
        machine(&[
            ("llvmpipe (LLVM 19)", "vulkan", Software, 7),
            ("Iris Xe", "vulkan", Integrated, 1),
            ("RTX 4090", "dx12", Discrete, 2),
            ("RTX 4090", "vulkan", Discrete, 2),
        ])
    }

    fn pick(list: &[AdapterSummary], text: &str) -> Result<String, GpuError> {
        let (index, why) = choose(list, &text.parse()?)?;
        assert!(!why.is_empty());
        Ok(format!("{} {}", list[index].name, list[index].backend))
    }

    #[test]
    fn words_choose_the_adapter_a_user_means() {
        for (text, expected) in [
            ("gpu", "RTX 4090 vulkan"),
            ("", "RTX 4090 vulkan"),
            ("GPU:1", "RTX 4090 dx12"),
            ("gpu:4090", "RTX 4090 vulkan"),
            ("gpu:dx12", "RTX 4090 dx12"),
            ("gpu:iris xe", "Iris Xe vulkan"),
            ("xe driver", "Iris Xe vulkan"),
            ("gpu:llvmpipe", "llvmpipe (LLVM 19) vulkan"),
            ("gpu:software", "llvmpipe (LLVM 19) vulkan"),
            ("gpu:3", "llvmpipe (LLVM 19) vulkan"),
        ] {
            assert_eq!(pick(&laptop(), text).as_deref(), Ok(expected), "for {text:?}");
        }
    }

    #[test]
    fn the_reason_names_the_other_api_only_for_the_same_adapter() {
        let (_, why) = choose(&laptop(), &Selection::Auto).expect("there are GPUs");
        assert!(why.contains("through vulkan"), "{why}");
        let two = machine(&[("A", "vulkan", Discrete, 1), ("B", "vulkan", Integrated, 2)]);
        let (_, why) = choose(&two, &Selection::Auto).expect("there are GPUs");
        assert!(!why.contains("through"), "{why}");
    }

    #[test]
    fn a_software_adapter_is_never_the_default() {
        let list = machine(&[("llvmpipe", "vulkan", Software, 7)]);
        let error = pick(&list, "gpu").expect_err("only software");
        assert!(error.to_string().contains("gpu:software"), "{error}");
        assert!(matches!(pick(&[], "gpu"), Err(GpuError::NoAdapter { .. })));
        assert!(matches!(pick(&[], "gpu:software"), Err(GpuError::NoAdapter { .. })));
    }

    #[test]
    fn an_unknown_name_lists_what_there_is() {
        for text in ["gpu:radeon", "gpu:17"] {
            let error = pick(&laptop(), text).expect_err("no such adapter");
            assert!(matches!(error, GpuError::UnknownAdapter { .. }));
            assert!(error.to_string().contains("gpu:2 Iris Xe"), "{error}");
        }
    }
}
