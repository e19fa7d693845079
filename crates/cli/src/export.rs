//! `chiaro export`: a trained model as an ONNX file, checked before it is left.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use chiaro::Device;
use chiaro::data::Resize;
use chiaro::graph::Backend;
use chiaro::io::torch;
use chiaro::onnx::ExportOptions;
use chiaro::train::{EvalData, LikeOptions, Saved};

use crate::device::{DeviceArgs, options};
use crate::output::{line, note};
use crate::usage::Usage;
use crate::waiting::Waiting;

/// Pictures that a file is checked with.
const PICTURES: usize = 8;

/// Write a trained model as an ONNX file (or its weights for PyTorch), preprocessing inside, and check it on real pictures
#[derive(clap::Args)]
pub struct Args {
    /// A run folder, or weights in one
    run: PathBuf,
    /// The file to write; the model's name with .onnx if absent
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Version of ONNX' ops, 14 to 26
    #[arg(long, default_value_t = 17, value_name = "N")]
    opset: i64,
    /// Take normalised f32 [N,C,H,W] instead of pixels u8 [N,H,W,C]
    #[arg(long)]
    raw: bool,
    /// Keep batch norms as such instead of folding them into the convolutions before them
    #[arg(long)]
    no_fold: bool,
    /// Store weights in 16 bits
    #[arg(long)]
    fp16: bool,
    /// Products in 8 bits, their ranges found on the run's validation images; tells the accuracy before and after, and how far
    /// probabilities moved
    #[arg(long, conflicts_with_all = ["fp16", "no_fold", "layout"])]
    int8: bool,
    /// Write the weights alone, as safetensors with PyTorch's names and order of channels: torch
    #[arg(long, value_name = "NAME", value_parser = ["torch"], conflicts_with_all = ["raw", "no_fold", "fp16", "opset", "images"])]
    layout: Option<String>,
    /// Pictures to check the file with; some of the run's own data if absent
    #[arg(long, value_name = "FILE", num_args = 1..)]
    images: Vec<PathBuf>,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Runs the subcommand. A file that differs from the run is not left.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let saved = Saved::load(&args.run)?;
    saved.notes().iter().for_each(|text| note(&format!("note: {text}")));
    let stem = saved.info().model.trim_end_matches(".onnx").to_string();
    if args.layout.is_some() {
        let out = file(args.out.as_deref(), &stem, "safetensors")?;
        torch::save(&out, &saved.model()?, saved.weights().tensors())?;
        line(&format!("{}: {} tensors as PyTorch has them", out.display(), saved.weights().tensors().len()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let out = file(args.out.as_deref(), &stem, "onnx")?;
    let options_ = ExportOptions {
        opset: args.opset,
        raw: args.raw,
        fold: !args.no_fold,
        half: args.fp16,
        temperature: saved.calibration().temperature,
        ..ExportOptions::default()
    };
    let bytes = saved.to_onnx(&options_)?;
    let (pictures, whose) = pictures(&saved, &args.images)?;
    let waiting = Waiting::new("checking the file");
    let mut own = args.device.open()?;
    let mut cpu = Device::by_name("cpu", &options(args.device.threads, true))?;
    let compared = saved.compare_onnx(&bytes, args.raw, &pictures, [own.backend(), cpu.backend()])?;
    drop(waiting);
    let bound = if args.fp16 { 1e-2 } else { 1e-5 };
    let relative = compared.difference / compared.scale;
    if relative > bound || relative.is_nan() {
        bail!(
            "the file would differ from the run by {relative:.1e} of the largest logit on {whose}, more than {bound:.0e}: none is left"
        );
    }
    if args.int8 {
        return int8(args, &saved, &bytes, &out, own.backend());
    }
    chiaro::io::write_whole(&out, &bytes)?;
    line(&format!(
        "{}: {:.1} MB, opset {}; differs from the run by {relative:.1e} of the largest logit on {whose}",
        out.display(),
        bytes.len() as f64 / 1e6,
        args.opset
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// The file to write. Only one that was named replaces another, and only one of its kind.
fn file(out: Option<&Path>, stem: &str, extension: &str) -> anyhow::Result<PathBuf> {
    let path = out.map_or_else(|| PathBuf::from(format!("{stem}.{extension}")), Path::to_path_buf);
    if out.is_none() && path.exists() {
        let path = path.display();
        return Err(Usage(format!("{path} is there already: name the file with --out, which replaces it")).into());
    }
    if path.extension().is_none_or(|found| !found.eq_ignore_ascii_case(extension)) {
        return Err(Usage(format!("--out {}: its name ends with .{extension}", path.display())).into());
    }
    Ok(path)
}

/// Images of a set with decoded pixels that are looked at.
const MOST_IMAGES: usize = 2000;

/// Images below which ranges of activations are those of few pictures.
const FEW_IMAGES: usize = 64;

/// Writes the file, which was found to be right, in 8 bits.
fn int8(args: &Args, saved: &Saved, bytes: &[u8], out: &Path, backend: &mut dyn Backend) -> anyhow::Result<ExitCode> {
    let data = saved.config.as_ref().map(|config| config.settings.data.clone()).filter(|d| !d.as_os_str().is_empty());
    let Some(folder) = data else {
        bail!("--int8 finds the ranges of activations on the run's own data, and {} tells none", args.run.display());
    };
    let holdout = saved.config.as_ref().map(|config| config.settings.holdout());
    let options = LikeOptions { limit: Some(MOST_IMAGES), holdout, ..LikeOptions::default() };
    let data = EvalData::open(&folder, None, &options, saved.info()).with_context(|| {
        "--int8 finds the ranges of activations on the run's own data, which cannot be opened".to_string()
    })?;
    let waiting = Waiting::new("finding ranges, and measuring what 8 bits cost");
    let found = saved.quantize(bytes, args.raw, &*data.set, backend)?;
    drop(waiting);
    chiaro::io::write_whole(out, &found.bytes)?;
    line(&format!(
        "{}: {:.1} MB, opset {}, products in 8 bits by {} {} images; accuracy on {}: {:.2} % before, {:.2} % in 8 bits; \
         probabilities differ by up to {:.3}",
        out.display(),
        found.bytes.len() as f64 / 1e6,
        args.opset,
        found.calibrated,
        data.split.word(),
        found.judged,
        100.0 * found.before,
        100.0 * found.after,
        found.difference
    ))?;
    if found.calibrated < FEW_IMAGES {
        note(&format!(
            "warning: {} images are few to find ranges by, and to judge the file by: more validation images would do both better",
            found.calibrated
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Pictures to check with, and what they are.
fn pictures(saved: &Saved, files: &[PathBuf]) -> anyhow::Result<(Vec<Vec<u8>>, String)> {
    let info = saved.info();
    let n: usize = info.image.iter().product();
    if !files.is_empty() {
        let resize: Resize = info.resize.parse().unwrap_or_default();
        let decoded = files.iter().map(|file| {
            let mut pixels = vec![0; n];
            chiaro::data::decode_file(file, info.image, resize, &mut pixels).map(|_| pixels)
        });
        return Ok((decoded.collect::<Result<_, _>>()?, format!("{} pictures", files.len())));
    }
    let data = saved.config.as_ref().map(|config| config.settings.data.clone()).filter(|d| !d.as_os_str().is_empty());
    if let Some(found) = data.and_then(|folder| of_data(saved, &folder, n)) {
        return Ok(found);
    }
    note("note: the run's data is not here, so that the file is checked with made pictures; --images names others");
    let made =
        (0..PICTURES).map(|i| (0..n).map(|p| ((p * (7 + 4 * i) + (p / 97) * 13 * (i + 1)) % 256) as u8).collect());
    Ok((made.collect(), format!("{PICTURES} made pictures")))
}

fn of_data(saved: &Saved, folder: &Path, n: usize) -> Option<(Vec<Vec<u8>>, String)> {
    let holdout = saved.config.as_ref().map(|config| config.settings.holdout());
    let options = LikeOptions { limit: Some(PICTURES), holdout, ..LikeOptions::default() };
    let data = EvalData::open(folder, None, &options, saved.info()).ok()?;
    let pictures: Option<Vec<Vec<u8>>> = (0..data.set.len().min(PICTURES))
        .map(|i| {
            let mut pixels = vec![0; n];
            data.set.write_image(i, &mut pixels).ok().map(|()| pixels)
        })
        .collect();
    let pictures = pictures.filter(|p| !p.is_empty())?;
    let told = format!("{} {} images", pictures.len(), data.split.word());
    Some((pictures, told))
}
