//! Where compiled pipelines and tuned choices are kept between runs, and how a file there is named.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::device::adapter::AdapterSummary;

/// Names another folder than the user's cache folder; empty or `off` keeps nothing.
const VARIABLE: &str = "CHIARO_CACHE_DIR";

/// The folder of this user: what `CHIARO_CACHE_DIR` names; else `chiaro` in `%LOCALAPPDATA%`, in `~/Library/Caches` or in
/// `$XDG_CACHE_HOME` (`~/.cache`). `None` where that variable says `off` or there is no home.
pub fn user_cache_folder() -> Option<PathBuf> {
    folder(std::env::consts::OS, &|name| std::env::var_os(name))
}

fn folder(os: &str, variable: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    if let Some(named) = variable(VARIABLE) {
        let off = named.is_empty() || named.eq_ignore_ascii_case("off");
        return (!off).then(|| named.into());
    }
    // Relative ones are to be ignored, says the XDG specification; anywhere else they would be surprising too.
    let path = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute() || os == "windows");
    let home = |below: &str| path("HOME").map(|home| home.join(below));
    let caches = match os {
        "windows" => path("LOCALAPPDATA"),
        "macos" | "ios" => home("Library/Caches"),
        _ => path("XDG_CACHE_HOME").or_else(|| home(".cache")),
    };
    caches.map(|caches| caches.join("chiaro"))
}

/// `KIND-BACKEND-VENDOR-DEVICE-DIGEST.EXTENSION`: another driver or another version of this program has another file.
pub(crate) fn file_name(kind: &str, adapter: &AdapterSummary, extension: &str) -> String {
    let (vendor, product) = adapter.pci;
    let whole = format!("{} {} {}", adapter.name, adapter.driver, env!("CARGO_PKG_VERSION"));
    format!("{kind}-{}-{vendor:x}-{product:x}-{:016x}.{extension}", adapter.backend, digest(whole.as_bytes()))
}

/// FNV-1a, 64 bits: finds damage, not malice.
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn of(os: &str, variables: &[(&str, &str)]) -> Option<PathBuf> {
        folder(os, &|name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn the_folder_is_the_one_that_each_system_has_for_caches() {
        let home = ("HOME", "/home/a");
        assert_eq!(of("linux", &[home]), Some("/home/a/.cache/chiaro".into()));
        assert_eq!(of("linux", &[home, ("XDG_CACHE_HOME", "/fast")]), Some("/fast/chiaro".into()));
        assert_eq!(of("linux", &[home, ("XDG_CACHE_HOME", "relative")]), Some("/home/a/.cache/chiaro".into()));
        assert_eq!(of("macos", &[home]), Some("/home/a/Library/Caches/chiaro".into()));
        assert_eq!(of("windows", &[("LOCALAPPDATA", r"C:\L")]), Some(Path::new(r"C:\L").join("chiaro")));
        assert_eq!(of("linux", &[]), None);
    }

    #[test]
    fn a_variable_names_another_folder_or_none() {
        let home = ("HOME", "/home/a");
        assert_eq!(of("linux", &[home, (VARIABLE, "/elsewhere")]), Some("/elsewhere".into()));
        assert_eq!(of("linux", &[home, (VARIABLE, "off")]), None);
        assert_eq!(of("windows", &[("LOCALAPPDATA", r"C:\L"), (VARIABLE, "")]), None);
    }

    #[test]
    fn another_driver_has_another_file() {
        let adapter = |driver: &str| AdapterSummary {
            index: 0,
            name: "Radeon".to_owned(),
            backend: "vulkan".to_owned(),
            driver: driver.to_owned(),
            kind: crate::AdapterKind::Discrete,
            pci: (0x1002, 0x73bf),
            features: Default::default(),
            limits: Default::default(),
        };
        let name = file_name("pipelines", &adapter("radv 25.0.7"), "bin");
        assert!(name.starts_with("pipelines-vulkan-1002-73bf-"), "{name}");
        assert_ne!(name, file_name("pipelines", &adapter("radv 25.0.8"), "bin"));
    }
}
