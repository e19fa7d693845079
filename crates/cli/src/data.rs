//! `chiaro data`: looks a data set over before anything is trained on it.

use std::path::PathBuf;
use std::process::ExitCode;

use chiaro::data::{Audit, Place};
use serde_json::{Value, json};

use crate::device::limit_threads;
use crate::find_data;
use crate::output::{line, note};
use crate::paths::png;
use crate::waiting::Waiting;

/// The most groups, files or classes that are shown of each kind.
const SHOWN: usize = 10;

/// Look a data set over: images of each class, sizes, unreadable files, duplicates and leaks between splits, blank and blurred images
#[derive(clap::Args)]
pub struct Args {
    /// The data set: a folder, a table of labels (CSV), or a name such as mnist
    data: String,
    /// Write what was found as JSON, with all names
    #[arg(long)]
    json: bool,
    /// Draw images of each class into this PNG file
    #[arg(long, value_name = "FILE", value_parser = png)]
    sheet: Option<PathBuf>,
    /// Download nothing
    #[arg(long)]
    offline: bool,
    /// Threads; one a core if absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
}

/// Runs the subcommand.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    limit_threads(args.threads)?;
    let folder = find_data::named_or_folder(args.data.as_ref(), args.offline)?;
    let opening = Waiting::opening(&folder);
    let audit = Audit::of(&folder, &opening.progress())?;
    drop(opening);
    if args.json {
        line(&serde_json::to_string_pretty(&as_json(&audit))?)?;
    } else {
        text(&audit).iter().try_for_each(|text| line(text))?;
    }
    if let Some(path) = &args.sheet {
        audit.draw_sheet(path)?;
        note(&format!("images of each class: {}", path.display()));
    }
    Ok(ExitCode::SUCCESS)
}

fn text(audit: &Audit) -> Vec<String> {
    let mut lines = counts(audit);
    if let Some([smallest, middle, largest]) = audit.sizes {
        let shown = |[height, width]: [usize; 2]| format!("{width}x{height}");
        let (least, most) = (shown(smallest), shown(largest));
        lines.push(format!("sizes: sides of {least} to {most}, half of them below {}", shown(middle)));
    }
    if let Some([mean, deviation]) = audit.channels {
        let shown = |values: [f64; 3]| values.map(|value| format!("{value:.4}")).join(" ");
        lines.push(format!("channels at 64x64: mean {}, deviation {}", shown(mean), shown(deviation)));
    }
    let named = |places: &[Place]| places.iter().map(ToString::to_string).collect::<Vec<_>>();
    let groups =
        |groups: &mut dyn Iterator<Item = &Vec<Place>>| groups.map(|group| group_line(group)).collect::<Vec<_>>();
    let causes: Vec<String> = audit.unreadable.iter().map(ToString::to_string).collect();
    let ignored: Vec<String> = audit.ignored.iter().map(|path| path.display().to_string()).collect();
    for (what, found) in [
        ("unreadable", causes),
        ("left out, since they are not named as images or of no class", ignored),
        ("missing from a split", missing(audit)),
        ("groups of the same image", groups(&mut audit.exact.iter())),
        ("groups of images that look the same", groups(&mut audit.near.iter())),
        (
            "of these groups in more than one split, so that a model is tested on what it has learnt",
            groups(&mut audit.leaks()),
        ),
        ("of these groups of more than one class", groups(&mut audit.conflicts())),
        ("blank", named(&audit.blank)),
        ("blurred, it seems", named(&audit.blurred)),
    ] {
        lines.push(format!("{what}: {}", if found.is_empty() { "none".to_string() } else { found.len().to_string() }));
        lines.extend(found.iter().take(SHOWN).map(|text| format!("  {text}")));
        if found.len() > SHOWN {
            lines.push(format!("  and {} more (--json has all)", found.len() - SHOWN));
        }
    }
    if audit.too_small {
        lines.push(
            "images of less than 48 pixels were compared byte by byte alone: so small, many look the same".to_string(),
        );
    }
    lines
}

/// A table of images a class and split.
fn counts(audit: &Audit) -> Vec<String> {
    let width = audit.classes.iter().map(|class| class.chars().count()).max().unwrap_or(0).max(5);
    let row = |name: &str, cells: Vec<String>| {
        let cells: String = cells.iter().map(|cell| format!("  {cell:>8}")).collect();
        format!("{name:<width$}{cells}")
    };
    let splits = || audit.splits.iter();
    let mut lines = vec![format!("layout: {}", audit.layout.name())];
    lines.push(row("class", splits().map(|split| split.split.to_string()).collect()));
    for (number, class) in audit.classes.iter().enumerate() {
        lines.push(row(class, splits().map(|split| split.counts[number].to_string()).collect()));
    }
    lines.push(row("total", splits().map(|split| split.images.to_string()).collect()));
    lines
}

/// Classes without an image in a split.
fn missing(audit: &Audit) -> Vec<String> {
    let of = |split: &chiaro::data::SplitAudit| {
        let none = split.counts.iter().zip(&audit.classes).filter(|(count, _)| **count == 0);
        let words = none.map(|(_, class)| format!("{class} has no {} image", split.split.word()));
        words.collect::<Vec<_>>()
    };
    audit.splits.iter().flat_map(of).collect()
}

fn group_line(group: &[Place]) -> String {
    let shown = |place: &Place| format!("{} ({}, {})", place.name, place.split, place.class);
    group.iter().map(shown).collect::<Vec<_>>().join(" = ")
}

fn as_json(audit: &Audit) -> Value {
    let place = |place: &Place| json!({"split": place.split.name(), "class": place.class, "name": place.name});
    let places = |list: &[Place]| list.iter().map(place).collect::<Vec<_>>();
    let groups = |list: &mut dyn Iterator<Item = &Vec<Place>>| list.map(|group| places(group)).collect::<Vec<_>>();
    let splits = audit.splits.iter().map(|split| {
        let counts: serde_json::Map<String, Value> =
            audit.classes.iter().cloned().zip(split.counts.iter().map(|count| json!(count))).collect();
        (split.split.name().to_string(), json!({"images": split.images, "classes": counts}))
    });
    json!({
        "layout": audit.layout.name(),
        "classes": audit.classes,
        "splits": splits.collect::<serde_json::Map<_, _>>(),
        "sizes": audit.sizes.map(|[least, middle, most]| json!({"smallest": least, "middle": middle, "largest": most})),
        "mean": audit.channels.map(|[mean, _]| mean),
        "deviation": audit.channels.map(|[_, deviation]| deviation),
        "unreadable": audit.unreadable.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "ignored": audit.ignored.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
        "missing": missing(audit),
        "exact": groups(&mut audit.exact.iter()),
        "near": groups(&mut audit.near.iter()),
        "leaks": groups(&mut audit.leaks()),
        "conflicts": groups(&mut audit.conflicts()),
        "blank": places(&audit.blank),
        "blurred": places(&audit.blurred),
    })
}
