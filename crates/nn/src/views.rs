//! Test-time augmentation: a model looks at several views of an image, and its outputs are averaged.

use crate::error::Result;
use chiaro_graph::{Elementwise, Graph, Var};

/// The views of an image that a model is asked about. Outputs are averaged before anything is made of them, as logits are in
/// arXiv:2404.00498.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Views {
    /// The image alone.
    #[default]
    One,
    /// The image and its mirror image.
    Mirrored,
    /// Both, and both again shifted by a pixel to the upper left and to the lower right, which count half as much.
    Shifted,
}

impl Views {
    /// How many there are.
    pub fn count(self) -> usize {
        self.shifts().len() * if self == Views::One { 1 } else { 2 }
    }

    /// Shifts in pixels, rows and columns alike, and their weights.
    fn shifts(self) -> &'static [(isize, f64)] {
        match self {
            Views::One | Views::Mirrored => &[(0, 1.0)],
            Views::Shifted => &[(0, 0.5), (1, 0.25), (-1, 0.25)],
        }
    }

    /// All views of images `[N,H,W,C]`, one batch behind the other.
    pub(crate) fn of_images(self, graph: &mut Graph, images: Var) -> Result<Var> {
        if self == Views::One {
            return Ok(images);
        }
        let mut views = vec![];
        for (by, _) in self.shifts() {
            let shifted = shifted(graph, images, *by)?;
            let shape = graph.shape(shifted).to_vec();
            let last = [0, 0, shape[2] - 1, 0];
            let mirrored = graph.slice(shifted, &last, &shape, &[1, 1, -1, 1])?;
            views.extend([shifted, mirrored]);
        }
        Ok(graph.concat(&views, 0)?)
    }

    /// The weighted mean of what came out for the views.
    pub(crate) fn average(self, graph: &mut Graph, outputs: Var) -> Result<Var> {
        if self == Views::One {
            return Ok(outputs);
        }
        let n = graph.shape(outputs)[0] / self.count();
        let mut sum: Option<Var> = None;
        for view in 0..self.count() {
            let part = graph.narrow(outputs, 0, view * n, (view + 1) * n)?;
            let part = graph.map_scalars(Elementwise::Mul, part, &[self.shifts()[view / 2].1 / 2.0])?;
            sum = Some(match sum {
                Some(sum) => graph.add(sum, part)?,
                None => part,
            });
        }
        Ok(sum.unwrap_or(outputs))
    }
}

/// Images moved up and to the left by so many pixels; 0, the mean colour, comes in.
fn shifted(graph: &mut Graph, images: Var, by: isize) -> Result<Var> {
    if by == 0 {
        return Ok(images);
    }
    let shape = graph.shape(images).to_vec();
    let (low, high) = if by > 0 { (0, by.unsigned_abs()) } else { (by.unsigned_abs(), 0) };
    let padded = graph.pad(images, &[0, low, low, 0], &[0, high, high, 0], 0.0)?;
    Ok(graph.slice(padded, &[0, high, high, 0], &shape, &[1; 4])?)
}
