//! Kernels through a chip's compiler, each in a process of its own; what was compiled before is kept in a file a chip.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::chips::Chip;
use crate::figures::Figures;
use crate::kernels::Kernel;

/// A compiler that takes longer than this has failed.
const LIMIT: Duration = Duration::from_secs(120);
/// Counts up when figures are read in another way or devices are opened otherwise: what was kept before is compiled again.
const VERSION: u32 = 2;

/// A chip's compiler with what it compiled before.
pub struct Compiler<'a> {
    chip: &'a Chip,
    mesa: &'a Path,
    scratch: PathBuf,
    kept: PathBuf,
    known: BTreeMap<String, Figures>,
    robust: bool,
}

impl<'a> Compiler<'a> {
    /// `folder` holds what is kept between runs.
    ///
    /// # Errors
    /// A folder that cannot be made.
    pub fn new(chip: &'a Chip, mesa: &'a Path, folder: &Path, robust: bool) -> Result<Compiler<'a>> {
        let scratch = folder.join("scratch").join(chip.name);
        std::fs::create_dir_all(&scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
        let kept = folder.join(format!("{}.json", chip.name));
        let known = std::fs::read_to_string(&kept).ok().and_then(|text| serde_json::from_str(&text).ok());
        Ok(Compiler { chip, mesa, scratch, kept, known: known.unwrap_or_default(), robust })
    }

    /// The figures of kernels, in their order; `version` is the drivers'.
    ///
    /// # Errors
    /// Where no process can be started or the figures cannot be kept.
    pub fn all(&mut self, kernels: &[&Kernel], version: &str) -> Result<Vec<Figures>> {
        let keys: Vec<String> = kernels.iter().map(|kernel| key(kernel, version, self.robust)).collect();
        let mut asked = HashSet::new();
        let new = |key: &String| !self.known.contains_key(key) && asked.insert(key.clone());
        let missing = keys.iter().map(new).enumerate().filter_map(|(i, new)| new.then_some(i)).collect::<Vec<_>>();
        let (next, found) = (AtomicUsize::new(0), Mutex::new(HashMap::new()));
        let work = || -> Result<()> {
            while let Some(&i) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                let figures = self.one(kernels[i], i)?;
                found.lock().unwrap_or_else(|broken| broken.into_inner()).insert(i, figures);
            }
            Ok(())
        };
        let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
        std::thread::scope(|scope| {
            let all: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            all.into_iter().map(|thread| thread.join().unwrap_or(Ok(()))).collect::<Result<Vec<_>>>()
        })?;
        let found = found.into_inner().unwrap_or_else(|broken| broken.into_inner());
        for (i, figures) in found {
            self.known.insert(keys[i].clone(), figures);
        }
        // Only what is in use stays.
        self.known.retain(|key, _| keys.contains(key));
        let text = serde_json::to_string(&self.known)?;
        std::fs::write(&self.kept, text).with_context(|| format!("cannot write {}", self.kept.display()))?;
        keys.iter().map(|key| self.known.get(key).cloned().context("a thread that compiled has ended")).collect()
    }

    fn one(&self, kernel: &Kernel, number: usize) -> Result<Figures> {
        let out = self.scratch.join(format!("{number}"));
        let own = std::env::current_exe().context("where is this program?")?;
        let mut command = self.chip.command(self.mesa, &own)?;
        command.arg("worker").arg(&out).arg(kernel.bindings.to_string());
        command.arg(if self.robust { "1" } else { "0" }).arg(&kernel.spirv);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot start a process under a shim")?;
        let printed = [reader(child.stdout.take()), reader(child.stderr.take())];
        let failed = wait(&mut child)?;
        let printed: String = printed.into_iter().map(|thread| thread.join().unwrap_or_default()).collect();
        let results = std::fs::read_to_string(&out).unwrap_or_default();
        let _ = std::fs::remove_file(&out);
        if let Some(failed) = failed {
            let last = printed.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
            return Ok(Figures { failed: Some(format!("{failed} {last}").trim().to_owned()), ..Figures::default() });
        }
        Ok(Figures::read(self.chip.driver, &results, &printed))
    }
}

fn key(kernel: &Kernel, version: &str, robust: bool) -> String {
    let mut hasher = DefaultHasher::new();
    (VERSION, version, robust, kernel.bindings, &kernel.bytes).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn reader(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = vec![];
        // A pipe that breaks ends the text there.
        let _ = pipe.map(|mut pipe| pipe.read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Waits for a worker; why it failed, if it did.
fn wait(child: &mut Child) -> Result<Option<String>> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok((!status.success()).then(|| format!("{status}:")));
        }
        if start.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            return Ok(Some(format!("not compiled within {} s", LIMIT.as_secs())));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
