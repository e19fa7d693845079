//! Tells an MLflow server of a run, where `MLFLOW_TRACKING_URI` names one. It is told by a thread of its own: a slow server makes no run
//! slower, and one that is gone ends none.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use chiaro::train::{Ending, Event, Observer, RunFolder, Scores, Trainer};
use chiaro_fetch::{MlflowError, MlflowRun};

use crate::output::note;

/// The variable that names the server, and the one that names the experiment.
const SERVER: &str = "MLFLOW_TRACKING_URI";
const EXPERIMENT: &str = "MLFLOW_EXPERIMENT_NAME";

/// What the thread is to tell.
enum Told {
    Epoch(u64, Vec<(String, f64)>),
    End(&'static str),
}

/// A run that is told to a server.
pub struct Mlflow {
    queue: Option<Sender<Told>>,
    thread: Option<JoinHandle<()>>,
}

impl Mlflow {
    /// Begins to tell, where a server is named by an address. Other places that MLflow knows, such as folders, are told to be left out.
    pub fn begin(folder: &RunFolder, trainer: &Trainer) -> Option<Mlflow> {
        let server = std::env::var(SERVER).ok().filter(|server| !server.is_empty())?;
        if !server.starts_with("http://") && !server.starts_with("https://") {
            note(&format!(
                "note: {SERVER} is {server}, but only a server's address (http://...) can be told of the run"
            ));
            return None;
        }
        let experiment = std::env::var(EXPERIMENT).unwrap_or_else(|_| "chiaro".to_string());
        let path = folder.path();
        let name = path.file_name().map_or("run".into(), |name| name.to_string_lossy().into_owned());
        let parameters = parameters(trainer);
        let (queue, told) = channel();
        let work = move || {
            if let Err(error) = tell(&server, &experiment, &name, &parameters, &told) {
                note(&format!("note: the MLflow server is not told of the run any more: {error}"));
            }
        };
        let thread = std::thread::Builder::new().name("mlflow".to_string()).spawn(work).ok();
        Some(Mlflow { queue: Some(queue), thread })
    }

    /// Tells how the run has ended, and waits until the server has heard it.
    pub fn end(mut self, ending: &anyhow::Result<Ending>) {
        let status = match ending {
            Ok(Ending::Finished | Ending::NoBetter | Ending::OutOfTime) => "FINISHED",
            Ok(Ending::Interrupted) => "KILLED",
            Err(_) => "FAILED",
        };
        self.send(Told::End(status));
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // It has told itself what went wrong.
            let _ = thread.join();
        }
    }

    fn send(&self, told: Told) {
        if let Some(queue) = &self.queue {
            // A thread that has given up hears nothing.
            let _ = queue.send(told);
        }
    }
}

impl Observer for Mlflow {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Epoch { record, .. } => {
                let mut named = vec![
                    ("lr/pg0".to_string(), record.lr),
                    ("images_per_second".to_string(), record.images_per_second),
                ];
                for (split, scores) in [("train", &record.train), ("val", &record.eval)] {
                    named.extend(of(split, scores));
                }
                self.send(Told::Epoch(record.epoch as u64, named));
            }
            Event::FirstStep | Event::Step(_) | Event::Evaluating { .. } | Event::Note(_) | Event::Profiled(_) => {}
        }
    }
}

fn of(split: &str, scores: &Scores) -> Vec<(String, f64)> {
    let all = [("loss".to_string(), scores.loss)].into_iter().chain(scores.measures.iter().cloned());
    all.map(|(name, value)| (format!("{split}/{name}"), value)).collect()
}

fn parameters(trainer: &Trainer) -> Vec<(String, String)> {
    let settings = serde_json::to_value(trainer.config()).ok();
    let settings = settings.as_ref().and_then(serde_json::Value::as_object);
    let shown = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_string);
    let set = settings.into_iter().flatten().filter(|(_, value)| !value.is_null());
    set.map(|(name, value)| (name.clone(), shown(value))).filter(|(_, value)| !value.is_empty()).collect()
}

fn tell(
    server: &str,
    experiment: &str,
    name: &str,
    parameters: &[(String, String)],
    told: &Receiver<Told>,
) -> Result<(), MlflowError> {
    let run = MlflowRun::begin(server, experiment, name)?;
    run.parameters(parameters)?;
    for told in told {
        match told {
            Told::Epoch(step, metrics) => run.metrics(step, &metrics)?,
            Told::End(status) => run.end(status)?,
        }
    }
    Ok(())
}
