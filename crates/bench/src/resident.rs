//! Kernels alone: their operands and results are arenas, which stay on the device, so that a run is the kernel and nothing else.

use chiaro_graph::{DType, Graph, Result, Target, Var};

use crate::workload::{Arena, Group, Workload, WorkloadValues};

/// A graph being built whose operands and results stay on the device.
#[derive(Default)]
pub(crate) struct Resident {
    pub graph: Graph,
    arenas: Vec<Arena>,
}

impl Resident {
    /// An operand of floats.
    pub fn operand(&mut self, name: &str, shape: &[usize], dtype: DType) -> Result<Var> {
        self.state(name, shape, dtype, None)
    }

    /// An operand of indices below a number.
    pub fn index(&mut self, name: &str, shape: &[usize], below: usize) -> Result<Var> {
        self.state(name, shape, DType::I32, Some(below))
    }

    fn state(&mut self, name: &str, shape: &[usize], dtype: DType, below: Option<usize>) -> Result<Var> {
        let arena = self.graph.arena(name, dtype)?;
        let state = self.graph.state(arena, name, shape)?;
        let len = self.graph.arenas()[arena.index()].len;
        self.arenas.push(Arena { name: name.to_string(), len, dtype, below });
        self.graph.state_value(state)
    }

    /// Keeps a result on the device.
    pub fn result(&mut self, name: &str, value: Var) -> Result<()> {
        let arena = self.graph.arena(name, self.graph.dtype(value))?;
        let shape = self.graph.shape(value).to_vec();
        let state = self.graph.state(arena, name, &shape)?;
        self.graph.assign(Target::State(state), value)
    }

    /// The workload.
    pub fn workload(self, group: Group, name: &str, dtype: DType) -> Workload {
        let values = WorkloadValues::Resident(self.arenas);
        Workload { name: name.to_string(), group, dtype, images: None, graph: self.graph, values }
    }
}

/// A kernel with float operands of these shapes and one result.
pub(crate) fn kernel(
    group: Group,
    name: &str,
    dtype: DType,
    shapes: &[&[usize]],
    build: impl FnOnce(&mut Graph, &[Var]) -> Result<Var>,
) -> Result<Workload> {
    let mut resident = Resident::default();
    let mut operands = vec![];
    for (i, shape) in shapes.iter().enumerate() {
        operands.push(resident.operand(&format!("x{i}"), shape, dtype)?);
    }
    let result = build(&mut resident.graph, &operands)?;
    resident.result("result", result)?;
    Ok(resident.workload(group, name, dtype))
}
