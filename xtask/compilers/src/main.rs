//! What each vendor's compiler makes of the kernels that Chiaro gives its chips, with no such chip there: `cargo xtask gpu-compilers`.

mod beside;
mod chips;
mod compile;
mod figures;
mod host;
mod hot_loop;
mod kernels;
mod limits;
mod listing;
mod mesa;
mod report;
mod worker;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};

use chips::{CHIPS, Chip};
use kernels::Kernel;
use mesa::Mesa;
use report::Compiled;

/// The rows of `chiaro bench` whose kernels are compiled: three networks and the products, f32 and f16.
const ROWS: &[&str] = &[
    "step resnet18 batch 128",
    "step resnet18 batch 128 f16",
    "step small-cnn batch 128",
    "step small-cnn batch 128 f16",
    "step depthwise batch 128",
    "step depthwise batch 128 f16",
    "matmul",
];
const SHORT: &[&str] = &["step resnet18 batch 128", "step resnet18 batch 128 f16"];

#[derive(Parser)]
#[command(
    name = "cargo xtask gpu-compilers",
    about = "Compile the kernels of each chip with its own compiler, with no GPU"
)]
struct Args {
    #[command(subcommand)]
    worker: Option<Worker>,
    /// Where Mesa's drivers and earlier figures are kept
    #[arg(long, default_value = "target/gpu-compilers")]
    folder: PathBuf,
    /// The program that writes the kernels; without it the `chiaro` beside this program
    #[arg(long)]
    chiaro: Option<PathBuf>,
    /// The document that gets the tables, when every kernel of every chip was compiled
    #[arg(long, default_value = "docs/gpu-compilers.md")]
    document: PathBuf,
    /// Only this chip, and no document; may be given several times
    #[arg(long, value_name = "NAME")]
    chip: Vec<String>,
    /// With checks of every access to a buffer, and no document: what drivers without checks in hardware make of the devices that
    /// wgpu opens
    #[arg(long)]
    robust: bool,
    /// One kernel of each kind and tile, and no document; where no earlier run has fetched the drivers, says so and succeeds
    #[arg(long)]
    short: bool,
    /// Not the compilers: how long the host takes to record and submit a step of ResNet-18 through each driver, and no document
    #[arg(long)]
    host: bool,
}

#[derive(Subcommand)]
enum Worker {
    /// Compiles one kernel with the driver that is there (for the program itself)
    #[command(hide = true)]
    Worker { out: PathBuf, bindings: u32, robust: u8, spirv: PathBuf },
    /// Times the host with the driver that is there (for the program itself)
    #[command(hide = true)]
    HostWorker { out: PathBuf },
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<ExitCode> {
    match &args.worker {
        Some(Worker::Worker { out, bindings, robust, spirv }) => {
            std::fs::write(out, worker::compile(spirv, *bindings, *robust != 0)?)?;
            return Ok(ExitCode::SUCCESS);
        }
        Some(Worker::HostWorker { out }) => {
            std::fs::write(out, host::measured()?)?;
            return Ok(ExitCode::SUCCESS);
        }
        None => {}
    }
    let folder = std::path::absolute(&args.folder).context("where is the folder?")?;
    let found = if args.short { mesa::kept(&folder) } else { mesa::ready(&folder)? };
    let mesa = match found {
        Ok(mesa) => mesa,
        Err(reason) if args.short => {
            println!("the vendors' compilers are not asked: {reason}");
            return Ok(ExitCode::SUCCESS);
        }
        Err(reason) => bail!(reason),
    };
    let chips = chosen(args)?;
    if args.host {
        println!("| chip | dispatches | host, ms a step | its thread, ms a step |\n|---|---|---|---|");
        let mut there = chips.iter().filter(|chip| chip.is_there(&mesa.root));
        there.try_for_each(|chip| host::tell(chip, &mesa.root, &folder.join("host.txt")))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut all = vec![];
    let mut faults = 0;
    for chip in &chips {
        if !chip.is_there(&mesa.root) {
            println!("{}: left out, its shim is not there", chip.name);
            continue;
        }
        let compiled = compiled(chip, &mesa, &folder, args)?;
        faults += told(&compiled);
        all.push(compiled);
    }
    if faults > 0 {
        println!("{faults} faults");
    }
    if !args.short {
        let path = folder.join("beside.csv");
        std::fs::write(&path, beside::rows(&all)).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if !args.short && !args.robust && all.len() == CHIPS.len() {
        let figures = folder.join("figures.csv");
        report::write(&args.document, &figures, &all, &mesa.version)?;
        println!(
            "the tables are in {}, every product and convolution in {}",
            args.document.display(),
            figures.display()
        );
    }
    Ok(if faults > 0 || all.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn chosen(args: &Args) -> Result<Vec<&'static Chip>> {
    match &args.chip[..] {
        [] => Ok(CHIPS.iter().collect()),
        names => names.iter().map(|name| Chip::of(name)).collect(),
    }
}

fn compiled(chip: &'static Chip, mesa: &Mesa, folder: &Path, args: &Args) -> Result<Compiled> {
    let beside = || std::env::current_exe().map(|own| own.with_file_name("chiaro"));
    let chiaro = args.chiaro.clone().map_or_else(beside, Ok).context("where is this program?")?;
    let rows = if args.short { SHORT } else { ROWS };
    let folder = folder.join(match (args.short, args.robust) {
        (true, _) => "short",
        (false, true) => "robust",
        (false, false) => "figures",
    });
    let mut kernels = kernels::of(chip, &mesa.root, &chiaro, &folder.join("kernels").join(chip.name), rows)?;
    if args.short {
        shorten(&mut kernels);
    }
    let mut compiler = compile::Compiler::new(chip, &mesa.root, &folder, args.robust)?;
    let all: Vec<&Kernel> = kernels.iter().chain(kernels.iter().flat_map(|kernel| &kernel.members)).collect();
    let mut figures = compiler.all(&all, &mesa.version)?;
    let mut members = figures.split_off(kernels.len()).into_iter();
    let members = kernels.iter().map(|kernel| members.by_ref().take(kernel.members.len()).collect()).collect();
    Ok(Compiled { chip, kernels: kernels.into_iter().zip(figures).collect(), members })
}

/// One product or convolution of each kind, tile and precision, and one dispatch of each sort of several kernels, without those themselves.
fn shorten(kernels: &mut Vec<Kernel>) {
    let mut known = HashSet::new();
    let sort = |kernel: &Kernel| (kernel.kind.clone(), kernel.tile.clone(), kernel.network.clone());
    kernels.retain(|kernel| (kernel.tile.is_some() || !kernel.members.is_empty()) && known.insert(sort(kernel)));
    kernels.iter_mut().for_each(|kernel| kernel.members.clear());
}

/// Prints what is wrong with a chip's kernels; how many faults there are.
fn told(compiled: &Compiled) -> usize {
    let chip = compiled.chip;
    println!("{}: {} kernels", chip.name, compiled.kernels.len());
    let mut count = 0;
    for (kernel, figures) in &compiled.kernels {
        let faults = limits::faults(chip, kernel, figures);
        if !faults.is_empty() {
            let tile = kernel.tile.as_deref().unwrap_or("no tile");
            println!("  {} {} {} ({tile}): {}", kernel.network, kernel.file, kernel.shape, faults.join("; "));
        }
        count += faults.len();
    }
    for joined in beside::of(compiled) {
        let faults = joined.faults(chip);
        if !faults.is_empty() {
            println!("  {} {}: {}", joined.kernel.network, joined.kernel.file, faults.join("; "));
        }
        count += faults.len();
    }
    count
}
