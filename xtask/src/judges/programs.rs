//! The programs that judge: found, or why not.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

/// The Python that has what scripts need, where it is not `python3`.
const PYTHON: &str = "CHIARO_PYTHON";
/// The browser, where it is none of [`BROWSERS`] on the path.
pub const CHROMIUM: &str = "CHIARO_CHROMIUM";
const BROWSERS: &[&str] = &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// A Python with these modules.
///
/// # Errors
/// What is missing, as a sentence.
pub fn python(modules: &str) -> Result<OsString, String> {
    let python = std::env::var_os(PYTHON).unwrap_or_else(|| "python3".into());
    let missing = answers(&python, &["-c", &format!("import {modules}")]);
    let name = python.to_string_lossy().into_owned();
    missing.map_or(Ok(python), |why| Err(format!("{name} with {modules} is missing ({why}); {PYTHON} names another")))
}

/// Node, where it finds playwright-core, and a Chromium.
///
/// # Errors
/// What is missing, as a sentence.
pub fn browser() -> Result<[OsString; 2], String> {
    let node = OsString::from("node");
    if let Some(why) = answers(&node, &["-e", "require('playwright-core')"]) {
        return Err(format!("node with playwright-core is missing ({why}); NODE_PATH names the folder of its modules"));
    }
    let named =
        std::env::var_os(CHROMIUM).map_or_else(|| BROWSERS.iter().map(OsString::from).collect(), |name| vec![name]);
    let found = named.iter().find_map(on_path);
    let chromium = found.ok_or(format!("a browser is missing ({named:?}); {CHROMIUM} names another"))?;
    Ok([node, chromium.into_os_string()])
}

/// Why a program does not answer, where it does not.
fn answers(program: &OsString, arguments: &[&str]) -> Option<String> {
    match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            let told = text.lines().find(|line| line.contains("Error")).or(text.lines().last());
            Some(told.unwrap_or("it fails").trim().to_string())
        }
        Err(cause) => Some(cause.to_string()),
    }
}

/// A program by its path, or by its name in one of the folders where programs lie.
fn on_path(name: &OsString) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let places = std::iter::once(PathBuf::new()).chain(std::env::split_paths(&folders));
    places.map(|folder| folder.join(name)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said() {
        assert!(answers(&"no-such-program".into(), &[]).is_some());
        let own = std::env::current_exe().expect("this test").into_os_string();
        assert_eq!(answers(&own, &["--list"]), None);
        assert_eq!((on_path(&own).map(PathBuf::into_os_string), on_path(&"no-such-program".into())), (Some(own), None));
    }
}
