//! A whole model as one graph whose weights are fixed data.

use std::collections::BTreeMap;

use chiaro_graph::Graph;

use crate::error::{OnnxError, Result};
use crate::host::{Elem, Host};
use crate::model::OnnxModel;
use crate::record::Recorder;
use crate::sink::Fixed;
use crate::value::{Held, Value};

/// What is told of an input before the model is recorded.
#[derive(Clone, Debug)]
pub enum Feed {
    /// It is an input of the graph, in ONNX' order.
    Input {
        /// Extents.
        shape: Vec<usize>,
        /// Element type.
        elem: Elem,
    },
    /// It has these values.
    Known(Host),
}

/// The graph of a model: its inputs are those that are fed as such, in the order of their names; its outputs are the model's.
/// Outputs that are known already come back beside it.
///
/// # Errors
/// If an input is not fed, or a node does not fit what it is given.
pub fn record_graph(model: &OnnxModel, feeds: &BTreeMap<String, Feed>) -> Result<(Graph, Vec<(String, Host)>)> {
    let mut graph = Graph::new();
    let mut given = vec![];
    for (name, feed) in feeds {
        given.push((
            name.as_str(),
            match feed {
                Feed::Input { shape, elem } => {
                    let var = graph.input(name, shape, elem.graph_type())?;
                    Value::Device(Held::plain(&graph, var))
                }
                Feed::Known(host) => Value::Host(host.clone()),
            },
        ));
    }
    let mut sink = Fixed(&mut graph);
    let mut recorder = Recorder::new(model, &mut sink)?;
    for (name, value) in given {
        let own = model.graph().input.iter().map(|i| i.name()).find(|n| *n == name);
        let own = own.ok_or_else(|| OnnxError::Format(format!("the model has no input {name:?}")))?;
        recorder.give(own, value);
    }
    recorder.run()?;
    let (mut results, mut known) = (vec![], vec![]);
    for name in model.outputs() {
        match recorder.find(name)?.clone() {
            Value::Host(host) => known.push((name.to_string(), host)),
            Value::Device(held) => results.push((name, held.logical(recorder.graph())?)),
        }
    }
    drop(recorder);
    for (name, var) in results {
        graph.output(name, var)?;
    }
    Ok((graph, known))
}
