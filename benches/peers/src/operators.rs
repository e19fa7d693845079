//! Single operations, their operands on the device.

use crate::numbers;
use crate::report::Report;
use anyhow::{Context, Result};
use chiaro::graph::{ConvSpec, Result as GraphResult, Target};
use chiaro::{Backend, DType, Graph, Tensor, Var};

const OPERANDS: &str = "operands";

/// The product of two matrices of 1024x1024.
pub fn matmul(backend: &mut dyn Backend, report: &Report) -> Result<()> {
    let n = 1024;
    let (x, y) = (numbers::images(0, n, [n, 1, 1]), numbers::weights(n, [n, 1, 1], 1));
    let operands = [("x", vec![n, n], x), ("y", vec![n, n], y)];
    time(backend, report, 2.0 * (n * n * n) as f64, operands, |g, x, y| g.matmul(x, y, false, false))
}

/// 64 filters of 3x3 over 32 images of 56x56 with 64 channels.
pub fn conv(backend: &mut dyn Backend, report: &Report) -> Result<()> {
    let (n, c, size) = (32, 64, 56);
    let (x, y) = (numbers::images(0, n, [c, size, size]), numbers::weights(c, [c, 3, 3], 1));
    let operands = [("x", vec![n, size, size, c], x), ("y", vec![c, 3, 3, c], y)];
    let spec = ConvSpec { padding: [1; 4], ..ConvSpec::default() };
    let flop = 2.0 * (n * size * size * c * 9 * c) as f64;
    time(backend, report, flop, operands, |g, x, y| g.conv2d(x, y, &spec))
}

fn time(
    backend: &mut dyn Backend,
    report: &Report,
    flop: f64,
    operands: [(&str, Vec<usize>, Vec<f32>); 2],
    op: impl FnOnce(&mut Graph, Var, Var) -> GraphResult<Var>,
) -> Result<()> {
    let prepare = || {
        let (graph, values) = record(operands, op)?;
        let plan = backend.compile(&graph)?;
        backend.write_arena(OPERANDS, &values)?;
        Ok((backend, plan))
    };
    report.operator(flop, prepare, |(backend, plan)| {
        backend.run(*plan, &[])?;
        // Reading one element waits for the whole result.
        backend.read(*plan, 1)?;
        Ok(())
    })
}

/// A graph with the result and its first element as outputs, and the arena's values.
fn record(
    operands: [(&str, Vec<usize>, Vec<f32>); 2],
    op: impl FnOnce(&mut Graph, Var, Var) -> GraphResult<Var>,
) -> Result<(Graph, Tensor)> {
    let mut graph = Graph::new();
    let arena = graph.arena(OPERANDS, DType::F32)?;
    // Counted in the operands' arena, so that they pass for changed in every call: nobody may keep a packed copy.
    let calls = graph.state(arena, "calls", &[1])?;
    let before = graph.state_value(calls)?;
    let one = graph.scalar(1.0, DType::F32)?;
    let after = graph.add(before, one)?;
    graph.assign(Target::State(calls), after)?;
    let mut vars = vec![];
    for (name, shape, _) in &operands {
        let state = graph.state(arena, name, shape)?;
        vars.push(graph.state_value(state)?);
    }
    let result = op(&mut graph, vars[0], vars[1])?;
    graph.output("result", result)?;
    let shape = vec![1; graph.shape(result).len()];
    let first = graph.slice(result, &vec![0; shape.len()], &shape, &vec![1; shape.len()])?;
    graph.output("first", first)?;
    let mut flat = vec![0.0; graph.arenas()[arena.index()].len];
    for (name, _, values) in operands {
        let state = graph.states().iter().find(|s| s.name == name).context("a state of the arena")?;
        flat[state.offset..state.offset + values.len()].copy_from_slice(&values);
    }
    let values = Tensor::f32([flat.len()], flat).context("a vector")?;
    Ok((graph, values))
}
