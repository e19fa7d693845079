//! The programs that judge: found, or why not.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

/// The Python that has what scripts need, where it is not `python3`; or several, as PATH has folders: each of them judges.
const PYTHON: &str = "CHIARO_PYTHON";
/// The browser, where it is none of [`BROWSERS`] on the path.
pub const CHROMIUM: &str = "CHIARO_CHROMIUM";
const BROWSERS: &[&str] = &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// The Pythons with these modules, one at least.
///
/// # Errors
/// What is missing, as a sentence.
pub fn pythons(modules: &str) -> Result<Vec<OsString>, String> {
    let named = std::env::var_os(PYTHON).unwrap_or_else(|| "python3".into());
    let (mut found, mut missing) = (vec![], vec![]);
    for python in std::env::split_paths(&named).map(PathBuf::into_os_string) {
        match answers(&python, &["-c", &format!("import {modules}")]) {
            None => found.push(python),
            Some(why) => missing.push(format!("{} with {modules} is missing ({why})", python.to_string_lossy())),
        }
    }
    if found.is_empty() { Err(format!("{}; {PYTHON} names others", missing.join(", "))) } else { Ok(found) }
}

/// Node, where it finds a module.
///
/// # Errors
/// What is missing, as a sentence.
pub fn node(module: &str) -> Result<OsString, String> {
    let node = OsString::from("node");
    let why = answers(&node, &["-e", &format!("require('{module}')")]);
    why.map_or(Ok(node), |why| {
        Err(format!("node with {module} is missing ({why}); NODE_PATH names the folder of its modules"))
    })
}

/// Node, where it finds playwright-core, and a Chromium.
///
/// # Errors
/// What is missing, as a sentence.
pub fn browser() -> Result<[OsString; 2], String> {
    let node = node("playwright-core")?;
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
