//! A run for TensorBoard: numbers and histograms of the weights after each epoch, and images of training. One file a run, which goes on when
//! the run does.

mod message;
mod records;

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use chiaro_graph::{ArenaRole, Graph, Tensor};
use chiaro_nn::unpack_arena;

use crate::error::Result;
use crate::folder::RunFolder;
use crate::observer::{EpochRecord, Observer};
use crate::pictures::tell_failure;
use crate::trainer::Trainer;
use message::Message;
use records::Records;

/// The file's name, which TensorBoard knows by the word in it.
const NAME: &str = "events.out.tfevents.chiaro";
/// Epochs with histograms that a run has at most.
const HISTOGRAMS: usize = 50;
/// Numbers of a parameter that are looked at: more would change nothing that is to be seen.
const SAMPLED: usize = 100_000;

/// The events of a run. They are written as they come; a file that breaks off in the middle of one is cut before it when the run goes on.
#[derive(Debug)]
pub(crate) struct Board {
    records: Records,
}

impl Board {
    /// Opens the file of a run folder, at this step of the run: what it has of steps from there on is void.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn open(folder: &Path, step: u64) -> Result<Board> {
        let (records, is_new) = Records::open(&folder.join(NAME))?;
        let mut board = Board { records };
        if is_new {
            board.write(event(0).text(3, "brain.Event:2"))?;
        } else {
            // A session starts: TensorBoard forgets what comes after this step.
            let start = Message::default().number(1, 1);
            board.write(event(step + 1).message(7, start))?;
        }
        Ok(board)
    }

    /// Writes an epoch's numbers.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn epoch(&mut self, record: &EpochRecord) -> Result<()> {
        let scores = [("train", &record.train), ("val", &record.eval)];
        let mut summary = Message::default();
        for (split, scores) in scores {
            summary = summary.message(1, scalar(&format!("loss/{split}"), scores.loss));
            for (name, value) in &scores.measures {
                summary = summary.message(1, scalar(&format!("{name}/{split}"), *value));
            }
        }
        summary = summary.message(1, scalar("lr/pg0", record.lr));
        summary = summary.message(1, scalar("speed/images_per_second", record.images_per_second));
        self.write(event(record.epoch as u64).message(5, summary))
    }

    /// Writes a histogram of each parameter, at most 50 times in a run of so many epochs.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn weights(&mut self, epoch: usize, epochs: usize, graph: &Graph, arenas: &[(String, Tensor)]) -> Result<()> {
        if !epoch.is_multiple_of(epochs.div_ceil(HISTOGRAMS).max(1)) {
            return Ok(());
        }
        let mut summary = Message::default();
        let of_parameters =
            |name: &str| graph.arenas().iter().any(|a| a.name == name && a.role == ArenaRole::Parameters);
        for (arena, values) in arenas.iter().filter(|(name, _)| of_parameters(name)) {
            for (name, tensor) in unpack_arena(graph, arena, values)? {
                let values = tensor.as_f32().unwrap_or(&[]);
                let tag = format!("weights/{}", name.replace('.', "/"));
                summary = summary.message(1, Message::default().text(1, &tag).message(5, histogram(values)));
            }
        }
        self.write(event(epoch as u64).message(5, summary))
    }

    /// Writes a picture: a PNG or JPEG file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn picture(&mut self, tag: &str, [width, height]: [usize; 2], file: &[u8]) -> Result<()> {
        let image = Message::default().number(1, height as u64).number(2, width as u64).number(3, 3).bytes(4, file);
        let value = Message::default().text(1, tag).message(4, image);
        self.write(event(0).message(5, Message::default().message(1, value)))
    }

    fn write(&mut self, event: Message) -> Result<()> {
        self.records.append(event.as_bytes())
    }
}

impl Trainer {
    /// Opens the file for TensorBoard; where that fails it is told, and the run goes on without.
    pub(crate) fn open_board(&mut self, folder: &RunFolder, observer: &mut dyn Observer) {
        let opened = Board::open(folder.path(), self.at.epoch as u64);
        let opened = opened.map(|board| self.board = Some(board));
        tell_failure(observer, "the file for TensorBoard", opened);
    }

    /// Writes the last epoch, with all arenas as they are after it.
    pub(crate) fn tell_board(&mut self, observer: &mut dyn Observer, arenas: &[(String, Tensor)]) {
        let (Some(mut board), Some(record)) = (self.board.take(), self.records.last()) else { return };
        let told = board.epoch(record);
        let told = told.and_then(|()| board.weights(record.epoch, self.config.epochs, &self.step.graph, arenas));
        if told.is_ok() {
            self.board = Some(board);
        }
        tell_failure(observer, "the rest of the file for TensorBoard", told);
    }
}

/// An event of a step, now.
fn event(step: u64) -> Message {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
    Message::default().double(1, now).number(2, step)
}

fn scalar(tag: &str, value: f64) -> Message {
    Message::default().text(1, tag).float(2, value as f32)
}

/// A HistogramProto of 30 bins of equal width from the smallest to the largest number.
fn histogram(values: &[f32]) -> Message {
    const BINS: usize = 30;
    let every = values.len().div_ceil(SAMPLED).max(1);
    let some: Vec<f64> = values.iter().step_by(every).map(|v| f64::from(*v)).filter(|v| v.is_finite()).collect();
    let [low, high] = some.iter().fold([f64::INFINITY, f64::NEG_INFINITY], |[a, b], v| [a.min(*v), b.max(*v)]);
    let (low, high) = if some.is_empty() { (0.0, 0.0) } else { (low, high) };
    let width = if high > low { (high - low) / BINS as f64 } else { 1.0 };
    let mut counts = [0.0; BINS];
    some.iter().for_each(|v| counts[(((v - low) / width) as usize).min(BINS - 1)] += 1.0);
    let limits: Vec<f64> = (1..=BINS).map(|i| low + width * i as f64).collect();
    let numbers = [low, high, some.len() as f64, some.iter().sum(), some.iter().map(|v| v * v).sum()];
    let named = (1..).zip(numbers).fold(Message::default(), |message, (field, number)| message.double(field, number));
    named.doubles(6, &limits).doubles(7, &counts)
}
