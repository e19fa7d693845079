//! How many image files of a data set a second one core decodes and resizes, and how long its first and second opening take with a
//! pack: `cargo run --release -p chiaro-data --example decode -- FOLDER SIDE`. `benches/peers/decode.py` decodes with Pillow and
//! torchvision.

use std::path::{Path, PathBuf};
use std::time::Instant;

use chiaro_data::{Normalize, OpenOptions, Resize, decode_file, open};

/// Rounds, of which the fastest counts.
const ROUNDS: usize = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [folder, side] = args.as_slice() else { return Err("give a folder and a side, as photos 64".into()) };
    let side: usize = side.parse()?;
    let mut files = vec![];
    find(Path::new(folder), &mut files)?;
    let mut out = vec![0; side * side * 3];
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        for file in &files {
            decode_file(file, [side, side, 3], Resize::Squash, &mut out)?;
        }
        best = best.min(started.elapsed().as_secs_f64());
    }
    println!("{} files to {side}x{side}: {:.0} a second on one core", files.len(), files.len() as f64 / best);
    let packs = tempfile::tempdir()?;
    let options =
        OpenOptions { size: Some([side, side]), pack_dir: Some(packs.path().to_path_buf()), ..OpenOptions::default() };
    for opening in ["first", "second", "third"] {
        let started = Instant::now();
        let sets = open(Path::new(folder), &options)?;
        Normalize::measure(&*sets.train)?;
        println!("{opening} opening: {:.1} ms", started.elapsed().as_secs_f64() * 1e3);
    }
    Ok(())
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true => find(&path, files)?,
            false if path.extension().is_some_and(|end| end == "jpg") => files.push(path),
            false => {}
        }
    }
    Ok(())
}
