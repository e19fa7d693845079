//! The float64 reference executor: the truth that every other backend is measured against. It runs the nodes of a graph one by
//! one (not the plan, so that it checks the planner too) with loops that follow the definitions.

mod conv;
mod custom;
mod elementwise;
mod index;
mod loss;
mod matmul;
mod movement;
mod node;
mod pool;
mod random;
mod reduce;
#[cfg(test)]
mod tests;
mod value;

use chiaro_graph::{
    ArenaInfo, Backend, BackendError, DType, Graph, Later, Node, Op, PlanId, PlanTable, Stats, Target, Tensor, at_once,
    check_inputs,
};
use half::f16;
use std::collections::HashMap;
use value::Value;

/// Runs graphs in 64-bit floats. A cast to 16 bits rounds; nothing else is rounded between ops, other 16-bit nodes included
/// unless that is asked for. Integers are exact.
#[derive(Default)]
pub struct Reference {
    plans: PlanTable<Plan>,
    arenas: HashMap<String, ExactArena>,
    stats: Stats,
    rounding: Rounding,
}

/// What is rounded to 16 bits.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Rounding {
    Nothing,
    #[default]
    Casts,
    Halves,
}

struct Plan {
    graph: Graph,
    /// For each node, the last node that reads it; none for one that nothing needs.
    last_use: Vec<Option<usize>>,
    outputs: Option<Vec<Vec<f64>>>,
}

struct ExactArena {
    dtype: DType,
    values: Vec<f64>,
}

impl Reference {
    /// An executor without graphs or states.
    pub fn new() -> Reference {
        Reference::default()
    }

    /// One that rounds 16-bit nodes to what is stored of them, so that they vanish and overflow as on a device.
    pub fn rounding_halves() -> Reference {
        Reference { rounding: Rounding::Halves, ..Reference::default() }
    }

    /// One in which casts to 16 bits do not round either: a step has no differences that a gradient could be compared with.
    pub fn without_rounding() -> Reference {
        Reference { rounding: Rounding::Nothing, ..Reference::default() }
    }

    /// Runs one step with inputs in 64-bit floats, in the graph's order of declaration; integers and truth values as whole numbers.
    ///
    /// # Errors
    /// If the plan is unknown, the number of inputs or of their elements differs, or an index selects nothing.
    pub fn run_f64(&mut self, plan: PlanId, inputs: &[Vec<f64>]) -> Result<(), BackendError> {
        let Reference { plans, arenas, stats, rounding } = self;
        let plan = plans.get_mut(plan)?;
        let declared = plan.graph.inputs();
        let fits =
            |(info, given): (&chiaro_graph::InputInfo, &Vec<f64>)| info.shape.iter().product::<usize>() == given.len();
        if declared.len() != inputs.len() || !declared.iter().zip(inputs).all(fits) {
            let lengths: Vec<usize> = inputs.iter().map(Vec::len).collect();
            return Err(BackendError::Unknown(format!("inputs of {lengths:?} elements for {declared:?}")));
        }
        for (info, given) in declared.iter().zip(inputs).filter(|(info, _)| !info.indices.is_empty()) {
            let whole = Tensor::from_f64(info.shape.clone(), info.dtype, given);
            if let Some(detail) = whole.and_then(|t| info.indices.iter().find_map(|bound| bound.violation(&t))) {
                return Err(BackendError::Index { name: info.name.clone(), detail });
            }
        }
        let values = step(plan, arenas, inputs, *rounding)?;
        let read = |v: chiaro_graph::Var| values[v.index()].clone();
        plan.outputs = Some(plan.graph.outputs().iter().map(|&(_, v)| read(v)).collect());
        let assigned: Vec<_> = plan.graph.assignments().iter().map(|&(target, v)| (target, read(v))).collect();
        for (target, new) in assigned {
            let (info, offset) = match target {
                Target::Arena(a) => (&plan.graph.arenas()[a.index()], 0),
                Target::State(s) => {
                    let state = &plan.graph.states()[s.index()];
                    (&plan.graph.arenas()[state.arena.index()], state.offset)
                }
            };
            let arena = arenas.get_mut(&info.name).ok_or_else(|| unknown_arena(&info.name))?;
            arena.values[offset..offset + new.len()].copy_from_slice(&new);
        }
        stats.submissions += 1;
        stats.dispatches += plan.last_use.iter().flatten().count() as u64;
        Ok(())
    }

    /// An output of the last step in 64-bit floats, by its position in [`Graph::outputs`].
    ///
    /// # Errors
    /// If the plan or the output is unknown, or the plan has not run.
    pub fn read_f64(&self, plan: PlanId, output: usize) -> Result<&[f64], BackendError> {
        let of = self.plans.get(plan)?;
        let outputs = of.outputs.as_ref().ok_or_else(|| BackendError::Unknown(format!("{plan:?} has not run")))?;
        let found = outputs.get(output).ok_or_else(|| BackendError::Unknown(format!("output {output}")))?;
        Ok(found)
    }

    /// Overwrites an arena in 64-bit floats.
    ///
    /// # Errors
    /// If no compiled graph declares it, or its length differs.
    pub fn write_arena_f64(&mut self, name: &str, values: &[f64]) -> Result<(), BackendError> {
        let arena = self.arenas.get_mut(name).ok_or_else(|| unknown_arena(name))?;
        if arena.values.len() != values.len() {
            return Err(mismatch(name, arena, values.len(), arena.dtype));
        }
        arena.values.copy_from_slice(values);
        Ok(())
    }

    /// An arena's elements in 64-bit floats, padding included.
    ///
    /// # Errors
    /// If no compiled graph declares it.
    pub fn read_arena_f64(&self, name: &str) -> Result<&[f64], BackendError> {
        self.arenas.get(name).map(|a| &a.values[..]).ok_or_else(|| unknown_arena(name))
    }

    fn declare(&mut self, info: &ArenaInfo) -> Result<(), BackendError> {
        match self.arenas.get(&info.name) {
            Some(old) if old.values.len() == info.len && old.dtype == info.dtype => Ok(()),
            Some(old) => Err(self.plans.taken(&info.name, (old.values.len(), old.dtype), (info.len, info.dtype))),
            None => {
                self.arenas.insert(info.name.clone(), ExactArena { dtype: info.dtype, values: vec![0.0; info.len] });
                self.stats.allocations += 1;
                self.stats.bytes += 8 * info.len as u64;
                Ok(())
            }
        }
    }
}

impl Backend for Reference {
    fn turn_async(&mut self, plan: PlanId) -> Later<()> {
        at_once(self.plans.get(plan).map(|_| ()))
    }

    fn name(&self) -> String {
        "reference (float64)".into()
    }

    fn compile(&mut self, graph: &Graph) -> Result<PlanId, BackendError> {
        graph.arenas().iter().try_for_each(|info| self.declare(info))?;
        let last_use = last_uses(graph);
        Ok(self.plans.add(graph, Plan { graph: graph.clone(), last_use, outputs: None }))
    }

    fn run(&mut self, plan: PlanId, inputs: &[Tensor]) -> Result<(), BackendError> {
        let of = self.plans.get(plan)?;
        check_inputs(of.graph.inputs(), inputs)?;
        let wide: Vec<Vec<f64>> = inputs.iter().map(Tensor::to_f64).collect();
        self.stats.uploaded += inputs.iter().map(|t| t.bytes() as u64).sum::<u64>();
        self.run_f64(plan, &wide)
    }

    fn read(&mut self, plan: PlanId, output: usize) -> Result<Tensor, BackendError> {
        let values = self.read_f64(plan, output)?;
        let graph = &self.plans.get(plan)?.graph;
        let node = graph.node(graph.outputs()[output].1);
        Tensor::from_f64(node.shape.clone(), node.dtype, values)
            .ok_or_else(|| BackendError::Unknown(format!("output {output}")))
    }

    fn write_arena(&mut self, name: &str, values: &Tensor) -> Result<(), BackendError> {
        let arena = self.arenas.get(name).ok_or_else(|| unknown_arena(name))?;
        if arena.dtype != values.dtype() || values.shape() != [arena.values.len()] {
            return Err(mismatch(name, arena, values.data().len(), values.dtype()));
        }
        self.stats.uploaded += values.bytes() as u64;
        self.write_arena_f64(name, &values.to_f64())
    }

    fn write_arena_part(&mut self, name: &str, first: usize, values: &Tensor) -> Result<(), BackendError> {
        let arena = self.arenas.get_mut(name).ok_or_else(|| unknown_arena(name))?;
        let end = first.saturating_add(values.data().len());
        if arena.dtype != values.dtype() || values.shape().len() != 1 || end > arena.values.len() {
            return Err(mismatch(name, arena, values.data().len(), values.dtype()));
        }
        arena.values[first..end].copy_from_slice(&values.to_f64());
        self.stats.uploaded += values.bytes() as u64;
        Ok(())
    }

    fn room(&self) -> u64 {
        u64::MAX
    }

    fn read_arena(&mut self, name: &str) -> Result<Tensor, BackendError> {
        let arena = self.arenas.get(name).ok_or_else(|| unknown_arena(name))?;
        Tensor::from_f64(vec![arena.values.len()], arena.dtype, &arena.values).ok_or_else(|| unknown_arena(name))
    }

    fn release_plan(&mut self, plan: PlanId) -> Result<(), BackendError> {
        self.plans.take(plan).map(|_| ())
    }

    fn release_arena(&mut self, name: &str) -> Result<(), BackendError> {
        self.plans.check_free(name)?;
        let arena = self.arenas.remove(name).ok_or_else(|| unknown_arena(name))?;
        self.stats.bytes -= 8 * arena.values.len() as u64;
        Ok(())
    }

    fn stats(&self) -> Stats {
        self.stats
    }
}

/// The values of a step's nodes; those that no output or assignment needs any more are empty.
fn step(
    plan: &Plan,
    arenas: &HashMap<String, ExactArena>,
    inputs: &[Vec<f64>],
    rounding: Rounding,
) -> Result<Vec<Vec<f64>>, BackendError> {
    let graph = &plan.graph;
    let arena = |id: chiaro_graph::ArenaId| {
        let name = &graph.arenas()[id.index()].name;
        arenas.get(name).map(|a| &a.values).ok_or_else(|| unknown_arena(name))
    };
    let mut values: Vec<Vec<f64>> = vec![vec![]; graph.nodes().len()];
    for (i, node) in graph.nodes().iter().enumerate() {
        if plan.last_use[i].is_none() {
            continue;
        }
        let operands: Vec<Value<'_>> = node.inputs.iter().map(|&v| operand(graph, &values, v)).collect();
        let computed = if let Op::Input(id) = &node.op {
            Some(inputs[id.index()].clone())
        } else if let Op::Arena(id) = &node.op {
            Some(arena(*id)?.clone())
        } else if let Op::State(id) = &node.op {
            let info = &graph.states()[id.index()];
            let count: usize = info.shape.iter().product();
            Some(arena(info.arena)?[info.offset..info.offset + count].to_vec())
        } else if node.op == Op::Cast(DType::F16) && rounding == Rounding::Nothing {
            Some(operands[0].data.to_vec())
        } else {
            node::compute(graph, node, &operands)
        };
        values[i] = computed.ok_or_else(|| BackendError::Unknown(format!("op {}", node.op.name())))?;
        if rounding == Rounding::Halves && node.dtype == DType::F16 {
            values[i].iter_mut().for_each(|v| *v = f16::from_f64(*v).to_f64());
        }
        for v in &node.inputs {
            if plan.last_use[v.index()] == Some(i) {
                values[v.index()] = vec![];
            }
        }
    }
    Ok(values)
}

fn operand<'a>(graph: &'a Graph, values: &'a [Vec<f64>], v: chiaro_graph::Var) -> Value<'a> {
    let node = graph.node(v);
    Value { shape: &node.shape, dtype: node.dtype, data: &values[v.index()] }
}

/// The value of one node from its operands' elements, as the executor computes it; none for a node that reads an input, a state or
/// an arena. For checks that want to see or change what passes between nodes.
pub fn compute_node(graph: &Graph, node: &Node, operands: &[&[f64]]) -> Option<Vec<f64>> {
    let of = |v: &chiaro_graph::Var| graph.node(*v);
    let values = node.inputs.iter().zip(operands);
    let values: Vec<Value<'_>> =
        values.map(|(v, data)| Value { shape: &of(v).shape, dtype: of(v).dtype, data }).collect();
    node::compute(graph, node, &values)
}

/// The last reader of each node that an output or an assignment needs; a node read at the end has the graph's length.
fn last_uses(graph: &Graph) -> Vec<Option<usize>> {
    let end = graph.nodes().len();
    let mut last = vec![None; end];
    let read = graph.outputs().iter().map(|o| o.1).chain(graph.assignments().iter().map(|a| a.1));
    read.for_each(|v| last[v.index()] = Some(end));
    for (i, node) in graph.nodes().iter().enumerate().rev() {
        if last[i].is_some() {
            for v in &node.inputs {
                last[v.index()] = last[v.index()].or(Some(i));
            }
        }
    }
    last
}

fn unknown_arena(name: &str) -> BackendError {
    BackendError::Unknown(format!("arena {name:?}"))
}

fn mismatch(name: &str, arena: &ExactArena, len: usize, dtype: DType) -> BackendError {
    let want = vec![arena.values.len()];
    BackendError::Mismatch { name: name.into(), want, want_dtype: arena.dtype, shape: vec![len], dtype }
}
