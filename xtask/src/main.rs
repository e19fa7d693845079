//! Developer tasks: `cargo xtask test` sets up what is missing and runs every check; `cargo xtask vulkan` only sets up;
//! `cargo xtask book` makes the book; `cargo xtask gpu-compilers` asks the vendors' compilers; `cargo xtask judges` asks other
//! programs about exported files; `cargo xtask onnx-proto` makes the types of ONNX files.

mod book;
mod cargo;
mod gpu_compilers;
mod gpu_results;
mod judges;
mod known;
mod onnx_proto;
mod results;
mod test;
mod vulkan;

use anyhow::{Result, bail};

const USAGE: &str = "\
usage: cargo xtask TASK

  test     set up software Vulkan if it is missing, then formatting, clippy, docs and every test; all of them run, and
           what failed stands at the end
  book     make the book of docs/book in target/book, and check its links and those of the other documents
  gpu-compilers [OPTION...]
           compile the kernels that 13 GPUs are given with the vendors' compilers, without a GPU, and write
           docs/gpu-compilers.md; fails where one spills or is below its share of multiply-adds. --help tells the options
  gpu-results ARCHIVE [FOLDER]
           make benches/results/<device>.md of what benches/gpu/call.sh measured, and of what it tuned the table of that device that
           ships with the program
  judges [NAME]
           ask onnx, onnxruntime, onnxsim, PyTorch, TensorBoard and MLflow what they say of the files that are written here, where a
           Python has them (CHIARO_PYTHON names it), and a browser (Node's playwright-core and CHIARO_CHROMIUM); NAME: those alone
           whose scripts in xtask/judges have it in their names
  onnx-proto
           make crates/onnx/src/proto.rs of crates/onnx/proto/onnx.proto
  vulkan   only set up software Vulkan (needs root; other checks run without it)
";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("test") => test::all(),
        Some("book") => book::build(),
        Some("gpu-compilers") => {
            let options: Vec<&str> = arguments[1..].iter().map(String::as_str).collect();
            if !gpu_compilers::run(&options)? {
                bail!("the vendors' compilers find faults, or were not asked");
            }
            Ok(())
        }
        Some("gpu-results") => match &arguments[1..] {
            [archive] => gpu_results::run(archive.as_ref(), None),
            [archive, folder] => gpu_results::run(archive.as_ref(), Some(folder.as_ref())),
            _ => bail!("usage: cargo xtask gpu-results ARCHIVE [FOLDER]"),
        },
        Some("judges") => {
            if !judges::run(arguments.get(1).map_or("", String::as_str))? {
                bail!("a judge finds faults");
            }
            Ok(())
        }
        Some("onnx-proto") => onnx_proto::write(),
        Some("vulkan") => vulkan::driver().map(|driver| println!("software Vulkan: {}", driver.display())),
        _ => {
            eprint!("{USAGE}");
            std::process::exit(2);
        }
    }
}
