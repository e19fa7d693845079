//! The teacher of a run: another run's weights, whose outputs are learnt beside the targets.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chiaro_data::Normalize;
use chiaro_graph::{Backend, Graph};
use chiaro_io::ModelInfo;
use chiaro_nn::{Model, TEACHER, Teacher, pack_arena};

use crate::error::{Result, TrainError};
use crate::saved::Saved;
use crate::settings::TrainConfig;

/// Teachers that were opened so far: each has arenas of its own, as data sets have.
static OPENED: AtomicUsize = AtomicUsize::new(0);

/// A teacher with its weights.
pub(crate) struct Opened {
    pub teacher: Teacher,
    saved: Saved,
}

impl Opened {
    /// The teacher that the settings name, for a model of images that `normalize` centres and of these classes.
    ///
    /// # Errors
    /// If it is not where the settings say, or of another task, other classes or other images.
    pub fn of(
        config: &TrainConfig,
        student: &Model,
        normalize: &Normalize,
        classes: &[String],
    ) -> Result<Option<Opened>> {
        let Some(path) = &config.teacher else { return Ok(None) };
        // A run that goes on needs it too, and cannot have another.
        let saved = Saved::load(path).map_err(|error| {
            let remedy = "give the folder of a trained run; where a run goes on, put its teacher back there";
            TrainError::Setting(format!("--teacher: {error}; {remedy}"))
        })?;
        check(saved.info(), config, student, classes)
            .map_err(|wrong| TrainError::Setting(format!("the teacher {} {wrong}", path.display())))?;
        let (info, model) = (saved.info(), saved.model()?);
        let (ours, theirs) = ([normalize.mean(), normalize.std()], [&info.mean[..], &info.std[..]]);
        // x of the run is (p - m) / s; the teacher takes (p - m') / s' = x s / s' + (m - m') / s'.
        let channel = |c: usize| [ours[1][c] / theirs[1][c], (ours[0][c] - theirs[0][c]) / theirs[1][c]];
        let [factor, shift] = [0, 1].map(|part| (0..theirs[0].len()).map(|c| channel(c)[part]).collect::<Vec<f32>>());
        let number = OPENED.fetch_add(1, Ordering::Relaxed);
        let teacher = Teacher {
            model: Arc::new(model),
            weight: config.distill_weight,
            temperature: config.distill_temperature,
            channels: (ours != theirs).then_some([factor, shift]),
            arenas: ["parameters", "statistics"].map(|part| format!("data/{TEACHER} {number}: {part}")),
        };
        Ok(Some(Opened { teacher, saved }))
    }

    /// Writes its weights to the arenas of a graph that holds it, which is compiled for the backend.
    pub fn load_into(&self, backend: &mut dyn Backend, graph: &Graph) -> Result<()> {
        let tensors = self.saved.tensors();
        for arena in self.teacher.arenas.iter().filter(|arena| graph.find_arena(arena).is_some()) {
            let prefix = format!("{TEACHER}.");
            let flat = pack_arena(graph, arena, |name| tensors.get(name.strip_prefix(&prefix)?))?;
            backend.write_arena(arena, &flat)?;
        }
        Ok(())
    }
}

/// Whether weights can teach a model; an error is the rest of a sentence about them.
fn check(
    info: &ModelInfo,
    config: &TrainConfig,
    student: &Model,
    classes: &[String],
) -> std::result::Result<(), String> {
    let task = config.task.as_str();
    if info.task != task {
        return Err(format!("was trained for {}, the run is for {task}: they must be the same", info.task));
    }
    if info.classes != classes {
        return Err(format!("knows the classes {:?}, the data has {classes:?}: they must be the same", info.classes));
    }
    let ([h, w, c], [eh, ew, ec]) = (info.image, student.image);
    let remedy = match (info.image == student.image, [h, w] == [eh, ew], c == ec) {
        (true, ..) => return Ok(()),
        (false, true, _) => format!("--channels {c}"),
        (false, false, true) => format!("--size {h}x{w}"),
        (false, false, false) => format!("--size {h}x{w} --channels {c}"),
    };
    Err(format!("takes images of {h}x{w}x{c}, the run's are {eh}x{ew}x{ec}: give {remedy}"))
}
