//! `chiaro models`: the models there are.

use std::process::ExitCode;

use chiaro::nn::{Model, NnError, Summary, models};

use crate::output::line;

/// List the models
#[derive(clap::Args)]
pub struct Args {}

/// A model for these classes and images, and its layers. Where it does not fit the images, the error says so before it names
/// the layer at fault.
pub fn fitting(name: &str, classes: usize, [h, w, c]: [usize; 3]) -> anyhow::Result<(Model, Summary)> {
    let made = models::by_name(name, classes, [h, w, c]).map(|model| {
        let layers = Summary::of(&model);
        (model, layers)
    });
    let channels = if c == 1 { "channel" } else { "channels" };
    made.map_err(|error| match error {
        NnError::Graph(_) => anyhow::Error::new(error)
            .context(format!("{name} does not fit images of {h}x{w} with {c} {channels} (--size chooses another)")),
        other => other.into(),
    })
}

/// Runs the subcommand.
pub fn run(_: &Args) -> anyhow::Result<ExitCode> {
    line(&format!("{:<18}  {:>10}  {:>12}  {:>10}", "model", "image", "parameters", "MFLOP"))?;
    for name in models::names() {
        let known = models::named(&name)?;
        let ([h, w, c], summary) = (known.image, Summary::of(&known.usual(10)?));
        let (image, parameters) = (format!("{h}x{w}x{c}"), summary.parameters());
        line(&format!("{name:<18}  {image:>10}  {parameters:>12}  {:>10.1}", summary.flops() as f64 / 1e6))?;
    }
    line("for 10 classes and the usual image; MFLOP of the forward pass of one image")?;
    Ok(ExitCode::SUCCESS)
}
