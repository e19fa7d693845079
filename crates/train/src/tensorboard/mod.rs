//! A run for TensorBoard: numbers and histograms of weights and gradients after each epoch, and images of training. One file a run, which
//! goes on when the run does.

mod histogram;
mod message;
mod records;

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use chiaro_graph::{ArenaRole, Graph, StateInfo, Tensor};
use chiaro_nn::{PARAMS, unpack_arena};

use crate::error::Result;
use crate::folder::RunFolder;
use crate::observer::{EpochRecord, Observer};
use crate::pictures::tell_failure;
use crate::trainer::Trainer;
use message::Message;
use records::Records;

/// The file's name, which TensorBoard knows by the word in it.
const NAME: &str = "events.out.tfevents.chiaro";
/// The events of a run. They are written as they come; a file that breaks off in the middle of one is cut before it when the run goes on.
#[derive(Debug)]
pub(crate) struct Board {
    records: Records,
    /// Those of the epoch's last step by their parameters' names, where this epoch has histograms.
    gradients: Vec<(String, Tensor)>,
}

impl Board {
    /// Opens the file of a run folder, at this step of the run: what it has of steps from there on is void.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn open(folder: &Path, step: u64) -> Result<Board> {
        let (records, is_new) = Records::open(&folder.join(NAME))?;
        let mut board = Board { records, gradients: vec![] };
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

    /// Writes a histogram of each parameter, and of the gradients that were kept.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn histograms(&mut self, epoch: usize, graph: &Graph, arenas: &[(String, Tensor)]) -> Result<()> {
        let mut summary = Message::default();
        let mut add = |kind: &str, name: &str, tensor: &Tensor| {
            let tag = format!("{kind}/{}", name.replace('.', "/"));
            let bins = histogram::of(tensor.as_f32().unwrap_or(&[]));
            summary = std::mem::take(&mut summary).message(1, Message::default().text(1, &tag).message(5, bins));
        };
        let of_parameters =
            |name: &str| graph.arenas().iter().any(|a| a.name == name && a.role == ArenaRole::Parameters);
        for (arena, values) in arenas.iter().filter(|(name, _)| of_parameters(name)) {
            unpack_arena(graph, arena, values)?.iter().for_each(|(name, tensor)| add("weights", name, tensor));
        }
        std::mem::take(&mut self.gradients).iter().for_each(|(name, tensor)| add("gradients", name, tensor));
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

    /// Whether histograms are written of this epoch, from 1.
    fn has_histograms(&self, epoch: usize) -> bool {
        let most = self.config.histograms;
        most > 0 && epoch.is_multiple_of(self.config.epochs.div_ceil(most).max(1))
    }

    /// Reads the gradients of the epoch's last step, where their histograms are to be written: those of all parameters that it trained,
    /// before they are clipped.
    ///
    /// # Errors
    /// If the device fails.
    pub(crate) fn keep_gradients(&mut self) -> Result<()> {
        if self.board.is_none() || !self.has_histograms(self.at.epoch + 1) {
            return Ok(());
        }
        let (plan, step) = self.phase_of(self.at.step.saturating_sub(1));
        let Some(place) = step.graph.outputs().iter().position(|(name, _)| name == "gradients") else { return Ok(()) };
        let stays = |state: &&StateInfo| step.options.is_frozen && step.options.optimizers.freezes(state);
        let frozen: Vec<String> = step.graph.states().iter().filter(stays).map(|state| state.name.clone()).collect();
        let flat = self.backend.read(plan, place)?;
        let all = unpack_arena(&self.step.graph, PARAMS, &flat)?;
        if let Some(board) = &mut self.board {
            board.gradients = all.into_iter().filter(|(name, _)| !frozen.contains(name)).collect();
        }
        Ok(())
    }

    /// Writes the last epoch, with all arenas as they are after it.
    pub(crate) fn tell_board(&mut self, observer: &mut dyn Observer, arenas: &[(String, Tensor)]) {
        let (Some(mut board), Some(record)) = (self.board.take(), self.records.last()) else { return };
        let told = board.epoch(record);
        let told = told.and_then(|()| match self.has_histograms(record.epoch) {
            true => board.histograms(record.epoch, &self.step.graph, arenas),
            false => Ok(()),
        });
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
