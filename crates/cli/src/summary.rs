//! `chiaro summary`: the layers of a model.

use std::process::ExitCode;

use chiaro::nn::models;

use crate::models::fitting;
use crate::output::line;
use crate::overrides::parse_size;

/// Labels are 32-bit numbers.
const MOST_CLASSES: i64 = i32::MAX as i64;

/// Show a model's layers, output shapes, parameters and FLOPs
#[derive(clap::Args)]
pub struct Args {
    /// One of `chiaro models`
    model: String,
    /// Height and width of the images: 32 or 32x48; the model's usual size if absent
    #[arg(long, value_parser = parse_size, value_name = "SIZE")]
    size: Option<[usize; 2]>,
    /// Channels of the images
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    channels: Option<u16>,
    /// Number of classes
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MOST_CLASSES))]
    classes: u32,
}

/// Runs the subcommand.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let usual = models::named(&args.model)?.image;
    let [h, w] = args.size.unwrap_or([usual[0], usual[1]]);
    let (_, layers) = fitting(&args.model, args.classes as usize, [h, w, args.channels.map_or(usual[2], usize::from)])?;
    line(layers.to_string().trim_end())?;
    Ok(ExitCode::SUCCESS)
}
