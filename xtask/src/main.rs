//! Developer tasks: `cargo xtask test` sets up what is missing and runs every check; `cargo xtask vulkan` only sets up.

mod cargo;
mod results;
mod test;
mod vulkan;

use anyhow::Result;

const USAGE: &str = "\
usage: cargo xtask TASK

  test     set up software Vulkan if it is missing, then formatting, clippy, docs and every test; all of them run, and
           what failed stands at the end
  vulkan   only set up software Vulkan (needs root; other checks run without it)
";

fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("test") => test::all(),
        Some("vulkan") => vulkan::driver().map(|driver| println!("software Vulkan: {}", driver.display())),
        _ => {
            eprint!("{USAGE}");
            std::process::exit(2);
        }
    }
}
