//! `If`: where its condition is known before the model runs, the branch that it chooses stands in its place.

use crate::call::Call;
use crate::error::{OnnxError, Result};
use crate::record::Recorder;
use crate::value::Value;

pub(crate) fn record<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let chosen = r.known(call, 0)?.scalar()? != 0.0;
    let name = if chosen { "then_branch" } else { "else_branch" };
    let graph = call.graph(name).ok_or_else(|| OnnxError::node(format!("has no {name}")))?;
    let unknown = graph.node.iter().find(|node| !super::is_known(node));
    match unknown {
        Some(node) => r.fault(format!("its {name} has an op that is not supported: {}", crate::call::told(node))),
        None => r.branch(graph),
    }
}
