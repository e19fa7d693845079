//! The page around the facts of a run: one file, its style and script inside.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chiaro_io::write_whole;
use serde_json::Value;

use crate::error::Result;
use crate::folder::RunFolder;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Writes the page of these facts.
pub(super) fn write(folder: &RunFolder, facts: &Value) -> Result<()> {
    Ok(write_whole(&folder.path().join("report.html"), page(facts).as_bytes())?)
}

/// The page. No text of the facts can end the element that they stand in.
fn page(facts: &Value) -> String {
    let facts = facts.to_string().replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
    // The facts last: what they say is no place to put something.
    PAGE.replace("{{style}}", STYLE).replace("{{script}}", SCRIPT).replace("{{facts}}", &facts)
}

/// A file as a link to itself.
pub(super) fn link(kind: &str, bytes: &[u8]) -> String {
    format!("data:image/{kind};base64,{}", BASE64_STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_breaks_out_of_the_page_and_nothing_is_linked() {
        let facts = serde_json::json!({ "name": "</script><script>alert(1)</script>{{style}}" });
        let page = page(&facts);
        assert_eq!(page.matches("</script>").count(), 2, "that of the facts and that of the script");
        assert!(page.contains("\\u003c/script>\\u003cscript>alert(1)") && !page.contains("{{script}}"));
        let own = [PAGE, STYLE, SCRIPT].concat().replace("http://www.w3.org/2000/svg", "");
        for outside in ["http:", "https:", "src=\"/", "url(", "@import", "fetch("] {
            assert!(!own.contains(outside), "{outside}");
        }
        assert_eq!(link("png", b"abc"), "data:image/png;base64,YWJj");
    }

    /// Needs Node.js, which is told where it is not there.
    #[test]
    fn the_page_rounds_as_the_terminal() {
        let numbers = [98.125, 98.375, 0.125, 98.1249, 12.345, 99.995, -0.125, 0.0, 100.0];
        let start = SCRIPT.find("const fixed =").expect("the function");
        let end = start + SCRIPT[start..].find("\n};").expect("its end") + 3;
        let script = format!("{}\nconsole.log({numbers:?}.map(n => fixed(n, 2)).join(\" \"))", &SCRIPT[start..end]);
        let Ok(output) = std::process::Command::new("node").args(["-e", &script]).output() else {
            return eprintln!("skipped: there is no Node.js");
        };
        let wanted = numbers.map(|n| format!("{n:.2}")).join(" ");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), wanted);
    }
}
