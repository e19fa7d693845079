//! `chiaro import`: models that others trained, as a folder that all other subcommands take.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use chiaro::train::{ImportOptions, RunFolder, Saved, model_of_weights};

use crate::output::{line, note};
use crate::overrides::parse_size;
use crate::usage::Usage;

/// Make a run folder of a model that was trained elsewhere: an ONNX file, or weights of PyTorch for a model of `chiaro models`
#[derive(clap::Args)]
pub struct Args {
    /// The file: .onnx, .pth, .pt, .th or .safetensors
    file: PathBuf,
    /// The model that weights of PyTorch are of: one of `chiaro models`, or a TOML file that describes it; found by the weights' names if absent
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// The folder to make; the file's name without its ending if absent
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Height and width of the images where the file leaves them open: 224 or 48x192
    #[arg(long, value_parser = parse_size, value_name = "SIZE")]
    size: Option<[usize; 2]>,
    /// A text file with the name of a class on each line, in the order of the model's outputs
    #[arg(long, value_name = "FILE")]
    classes: Option<PathBuf>,
    /// Mean of the channels in units of pixel / 255, one number or one a channel; the file's own, or ImageNet's if absent
    #[arg(long, value_name = "M,M,M", value_delimiter = ',')]
    mean: Option<Vec<f32>>,
    /// Standard deviation of the channels in the same units
    #[arg(long, value_name = "S,S,S", value_delimiter = ',')]
    std: Option<Vec<f32>>,
    /// What batch norms add to the variance, for weights of PyTorch; by their names if absent: 1e-5, of lukemelas' 1e-3
    #[arg(long, value_name = "E")]
    eps: Option<f64>,
    /// How images of other shapes are brought to the model's; the file's own if absent, or crop for photos: squash, crop or letterbox
    #[arg(long, value_name = "HOW")]
    resize: Option<chiaro::data::Resize>,
}

/// Runs the subcommand.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let options = ImportOptions {
        open_size: None,
        size: args.size,
        classes: args.classes.as_deref().map(class_names).transpose()?,
        mean: args.mean.clone(),
        std: args.std.clone(),
        resize: args.resize,
        eps: args.eps,
    };
    let is_onnx = args.file.extension().is_some_and(|e| e.eq_ignore_ascii_case("onnx"));
    let saved = match (&args.model, is_onnx) {
        (None, true) => Saved::imported(&options, &args.file)?.0,
        (given, false) => {
            let model = given.as_ref().map_or_else(|| found(&options, &args.file), |model| Ok(model.clone()))?;
            let (saved, notes) = Saved::imported_torch(&options, &args.file, &model)?;
            notes.iter().for_each(|text| note(&format!("note: {text}")));
            saved
        }
        (Some(_), true) => return Err(Usage("an ONNX file has its own model: leave --model out".into()).into()),
    };
    saved.notes().iter().filter(|_| is_onnx).for_each(|text| note(&format!("note: {text}")));
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(args.file.file_stem().unwrap_or_default()));
    let folder = RunFolder::create(&out)?;
    saved.keep(&folder)?;
    let info = saved.info();
    let [h, w, c] = info.image;
    line(&format!(
        "{}: {} tensors, images of {h}x{w} with {c} channel{}, resize {}, {} classes, mean {:?}, std {:?}",
        folder.path().display(),
        saved.weights().tensors().len(),
        if c == 1 { "" } else { "s" },
        info.resize,
        info.classes.len(),
        info.mean,
        info.std
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// The model that weights are of, which is told.
fn found(options: &ImportOptions, path: &Path) -> anyhow::Result<String> {
    let model = model_of_weights(options, path)?;
    note(&format!("note: by their names and extents the weights are of {model}"));
    Ok(model)
}

fn class_names(path: &Path) -> anyhow::Result<Vec<String>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(text.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_string).collect())
}
