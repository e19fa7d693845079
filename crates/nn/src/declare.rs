//! What a module says before anything is recorded: its parameters and statistics, the shape of its result, and its work.

use crate::context::Module;
use crate::init::Init;
use chiaro_graph::plan::Product;
use chiaro_graph::shape::checked_count;
use chiaro_graph::{GraphError, Result};

/// What a state of a module is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateKind {
    /// Trained.
    Parameter,
    /// A running statistic: updated in training, used in evaluation.
    Statistic,
}

/// A state that a module declares.
#[derive(Clone, Debug, PartialEq)]
pub struct DeclaredState {
    /// Its name with the layer path, `layer1.0.conv1.weight`.
    pub name: String,
    /// Extents.
    pub shape: Vec<usize>,
    /// How it starts.
    pub init: Init,
    /// What it is.
    pub kind: StateKind,
}

/// A layer within a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerInfo {
    /// Path, such as `layer1/0/conv1`.
    pub path: String,
    /// [`Module::kind`].
    pub kind: &'static str,
    /// Extents of its result.
    pub output: Vec<usize>,
    /// Two for each multiplication with addition of its own products, those of layers within it left out.
    pub flops: u64,
}

/// All that a module declares, in the order in which it does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Declared {
    /// Parameters and running statistics.
    pub states: Vec<DeclaredState>,
    /// The layers, inner ones before those that contain them.
    pub layers: Vec<LayerInfo>,
}

impl Declared {
    /// What a module declares for an input of this shape, and the shape of its result.
    ///
    /// # Errors
    /// If a layer does not fit its input; the message names the layer path.
    pub fn of(module: &(impl Module + ?Sized), x: &[usize]) -> Result<(Declared, Vec<usize>)> {
        let mut declare = Declare::default();
        declare.check_extents("image", x)?;
        let output = module.declare(&mut declare, x)?;
        declare.check_extents(module.kind(), &output)?;
        Ok((declare.declared, output))
    }

    /// The same of a module that stands at a layer path.
    pub(crate) fn at(scope: &str, name: &str, module: &(impl Module + ?Sized), x: &[usize]) -> Result<Declared> {
        let scope = scope.split('/').filter(|part| !part.is_empty()).map(str::to_string).collect();
        let mut declare = Declare { scope, ..Declare::default() };
        declare.call(name, module, x)?;
        Ok(declare.declared)
    }
}

/// A declaration that is being made. Shapes are whole, the batch axis included.
#[derive(Debug, Default)]
pub struct Declare {
    scope: Vec<String>,
    declared: Declared,
    flops: u64,
}

impl Declare {
    /// Declares a layer under `name`, as [`Context::call`](crate::Context::call) records it; gives the shape of its result.
    ///
    /// # Errors
    /// Those of the layer; if the name has a slash, or the result's extents are 0 or more than can be addressed.
    pub fn call(&mut self, name: &str, module: &(impl Module + ?Sized), x: &[usize]) -> Result<Vec<usize>> {
        if name.contains('/') {
            let detail =
                format!("{name:?} is no name for a layer: a slash parts the layers of a path; deeper paths have dots");
            return Err(self.error(module.kind(), &[x], detail));
        }
        let (depth, around) = (self.scope.len(), std::mem::take(&mut self.flops));
        self.scope.extend(name.split('.').map(str::to_string));
        let output = module.declare(self, x)?;
        self.check_extents(module.kind(), &output)?;
        let (path, flops) = (self.scope.join("/"), std::mem::replace(&mut self.flops, around));
        self.declared.layers.push(LayerInfo { path, kind: module.kind(), output: output.clone(), flops });
        self.scope.truncate(depth);
        Ok(output)
    }

    /// Declares a trainable parameter, named after the layer path. The same name and shape again is the same parameter, so that a
    /// layer that is called twice shares its weights.
    ///
    /// # Errors
    /// If the name is taken by a state of another shape.
    pub fn parameter(&mut self, name: &str, shape: &[usize], init: Init) -> Result<()> {
        self.state(name, shape, init, StateKind::Parameter)
    }

    /// Declares a running statistic, named after the layer path.
    ///
    /// # Errors
    /// If the name is taken by a state of another shape.
    pub fn statistic(&mut self, name: &str, shape: &[usize], init: Init) -> Result<()> {
        self.state(name, shape, init, StateKind::Statistic)
    }

    /// Counts a product of the layer's.
    pub fn product(&mut self, product: Product) {
        self.flops = self.flops.saturating_add(product.flops());
    }

    /// An error of the layer that is being declared.
    pub fn error(&self, op: &str, shapes: &[&[usize]], detail: String) -> GraphError {
        let shapes = shapes.iter().map(|s| s.to_vec()).collect();
        GraphError::Shape { op: op.into(), shapes, detail, path: self.scope.join("/") }
    }

    /// Refuses what the graph would refuse when it is recorded.
    fn check_extents(&self, what: &str, shape: &[usize]) -> Result<()> {
        let detail = match checked_count(shape) {
            Some(0) => "an extent is 0, but every tensor needs an element",
            Some(_) => return Ok(()),
            None => "these are more elements than a computer can address",
        };
        Err(self.error(what, &[shape], detail.into()))
    }

    fn state(&mut self, name: &str, shape: &[usize], init: Init, kind: StateKind) -> Result<()> {
        self.check_extents(name, shape)?;
        let parts = self.scope.iter().map(String::as_str);
        let name = parts.chain([name]).collect::<Vec<_>>().join(".");
        match self.declared.states.iter().find(|s| s.name == name) {
            Some(known) if known.shape == shape && known.kind == kind => Ok(()),
            Some(_) => Err(GraphError::DuplicateName(name)),
            None => {
                self.declared.states.push(DeclaredState { name, shape: shape.to_vec(), init, kind });
                Ok(())
            }
        }
    }
}
