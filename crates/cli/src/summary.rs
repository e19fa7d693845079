//! `chiaro summary`: the layers of a model.

use std::path::Path;
use std::process::ExitCode;

use chiaro::nn::Summary;
use chiaro::nn::models::DESCRIBED;
use chiaro::train::{ImportOptions, Saved, named_model};

use crate::models::fitting;
use crate::output::{bytes, line};
use crate::overrides::parse_size;
use crate::usage::Usage;

/// Labels are 32-bit numbers.
const MOST_CLASSES: i64 = i32::MAX as i64;

/// Show a model's layers, output shapes, parameters and FLOPs
#[derive(clap::Args)]
pub struct Args {
    /// One of `chiaro models`, a TOML file that describes one, a run folder, weights in one, or an ONNX file
    model: String,
    /// Height and width of the images: 32 or 32x48; the model's usual size if absent
    #[arg(long, visible_alias = "img-size", value_parser = parse_size, value_name = "SIZE")]
    size: Option<[usize; 2]>,
    /// Channels of the images
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    channels: Option<u16>,
    /// Number of classes; 10 if absent
    #[arg(long, visible_alias = "num-classes", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MOST_CLASSES))]
    classes: Option<u32>,
}

/// Classes where nothing tells how many.
const USUAL_CLASSES: u32 = 10;

/// Runs the subcommand.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let named = named_model(&args.model, None);
    let path = Path::new(&args.model);
    let layers = match named {
        Err(_) if path.exists() && !args.model.ends_with(DESCRIBED) => of_run(args, path)?,
        named => {
            let named = named?;
            let [h, w] = args.size.unwrap_or([named.image[0], named.image[1]]);
            let image = [h, w, args.channels.map_or(named.image[2], usize::from)];
            fitting(&named, args.classes.unwrap_or(USUAL_CLASSES) as usize, image)?.1
        }
    };
    line(layers.to_string().trim_end())?;
    let [weights, results] = [4.0 * layers.parameters() as f64, 4.0 * layers.results() as f64].map(bytes);
    line(&format!("memory in 32 bits: weights {weights}, results of all layers {results} an image"))?;
    Ok(ExitCode::SUCCESS)
}

/// The layers of a run's model.
fn of_run(args: &Args, path: &Path) -> anyhow::Result<Summary> {
    let is_file = path.is_file() && path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("onnx"));
    if args.size.is_some() && !is_file || args.channels.is_some() || args.classes.is_some() {
        let detail =
            "--size, --channels and --classes are for models by name (and --size for an ONNX file): a run has its own";
        return Err(Usage(detail.into()).into());
    }
    let options = ImportOptions { size: args.size, ..ImportOptions::default() };
    Ok(Summary::of(&Saved::load_with(&options, path)?.model()?))
}
