//! Grad-CAM of the worst mistakes, on the device of the run while it has the best weights.

use chiaro_graph::Tensor;
use chiaro_nn::{GradCamStep, MapOf};

use super::choice::Mistake;
use crate::error::{Result, TrainError};
use crate::explainer::LEAST_SIDE;
use crate::heat::scaled;
use crate::lease;
use crate::trainer::Trainer;

/// What speaks for the class that an image was taken for.
#[derive(Debug)]
pub(super) struct Heat {
    /// From 0 to 1, rows of `size[1]`.
    pub map: Vec<f32>,
    pub size: [usize; 2],
}

impl Heat {
    /// Whether no place speaks for the class: Grad-CAM leaves out what speaks against it, and sometimes that is all.
    pub(super) fn is_silent(&self) -> bool {
        self.map.iter().all(|value| *value == 0.0)
    }
}

impl Trainer {
    /// A map for each mistake.
    pub(super) fn heats(&mut self, mistakes: &[Mistake]) -> Result<Vec<Heat>> {
        if mistakes.is_empty() {
            return Ok(vec![]);
        }
        let step = GradCamStep::build(&self.model, mistakes.len(), self.evaluator.images(), MapOf::Side(LEAST_SIDE))?;
        let plan = self.backend.compile(&step.graph)?;
        let rows: Vec<usize> = mistakes.iter().map(|mistake| mistake.row).collect();
        let classes = mistakes.iter().map(|mistake| mistake.said as i32).collect();
        let classes = Tensor::i32([mistakes.len()], classes);
        let classes = classes.ok_or_else(|| TrainError::setting("a class for each mistake"));
        let read = classes.and_then(|classes| {
            let inputs = [self.evaluator.some_images(&rows)?, classes];
            self.backend.run(plan, &inputs)?;
            Ok(self.backend.read(plan, 1)?)
        });
        lease::release(&mut *self.backend, plan, &step.graph);
        let maps = read?;
        let maps = maps.as_f32().unwrap_or(&[]).chunks_exact(step.size[0] * step.size[1]);
        Ok(maps.map(|map| Heat { map: scaled(map), size: step.size }).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_silent_where_no_place_speaks() {
        let silent = |map: &[f32]| Heat { map: scaled(map), size: [1, map.len()] }.is_silent();
        assert!(silent(&[0.0, 0.0]) && !silent(&[0.0, 1e-6]));
    }
}
