//! A recipe as Rust: builder calls and inputs to paste into a test.

use super::arg::{Arg, V};
use super::recipe::{Leaf, LeafKind, Place, RUNS, Recipe, RecipeStep};
use crate::draw::Draw;
use chiaro_graph::DType;
use std::fmt::Write;

impl Recipe {
    /// The graph and the inputs of its runs as statements of a function that returns a `Result`.
    pub fn code(&self) -> String {
        let mut out = String::from("let mut g = Graph::new();\n");
        for dtype in self.arenas() {
            let _ =
                writeln!(out, "let {} = g.arena(\"fuzz.{dtype}\", {})?;", arena(dtype), dtype.code(&|v| self.name(v)));
        }
        for (i, step) in self.steps.iter().enumerate() {
            if let RecipeStep::Leaf(leaf) = step
                && leaf.kind == LeafKind::State
            {
                let (arena, name, shape) = (arena(leaf.dtype), leaf.name(), &leaf.shape);
                let _ = writeln!(out, "let s{i} = g.state({arena}, {name:?}, &{shape:?})?;");
            }
        }
        for (i, step) in self.steps.iter().enumerate() {
            let _ = writeln!(out, "let v{i} = {};", self.step(i, step));
        }
        for (i, &v) in self.outputs.iter().enumerate() {
            let _ = writeln!(out, "g.output(\"out{i}\", {})?;", self.name(v));
        }
        for &(place, v) in &self.assignments {
            let target = match place {
                Place::State(step) => format!("Target::State(s{step})"),
                Place::Arena(dtype) => format!("Target::Arena({})", arena(dtype)),
            };
            let _ = writeln!(out, "g.assign({target}, {})?;", self.name(v));
        }
        out + &self.inputs()
    }

    fn arenas(&self) -> Vec<DType> {
        let uses = |dtype: DType| {
            let leaf = |l: &Leaf| matches!(l.kind, LeafKind::State | LeafKind::Arena) && l.dtype == dtype;
            self.steps.iter().any(|s| match s {
                RecipeStep::Leaf(l) => leaf(l),
                RecipeStep::Pack(d, _) => *d == dtype,
                RecipeStep::Call(_) => false,
            })
        };
        [DType::F32, DType::F16, DType::I32, DType::U32, DType::Bool].into_iter().filter(|&d| uses(d)).collect()
    }

    /// How a value is written.
    fn name(&self, v: V) -> String {
        let part = match &self.steps[v.step] {
            RecipeStep::Call(call) => call.part(v.part),
            RecipeStep::Leaf(_) | RecipeStep::Pack(..) => String::new(),
        };
        format!("v{}{part}", v.step)
    }

    fn step(&self, i: usize, step: &RecipeStep) -> String {
        match step {
            RecipeStep::Call(call) => call.code(&|v| self.name(v)),
            RecipeStep::Pack(dtype, parts) => {
                let parts: Vec<String> = parts.iter().map(|&(s, v)| format!("(s{s}, {})", self.name(v))).collect();
                format!("g.pack({}, &[{}])?", arena(*dtype), parts.join(", "))
            }
            RecipeStep::Leaf(leaf) => match leaf.kind {
                LeafKind::Input => {
                    let (name, dtype) = (leaf.name(), leaf.dtype.code(&|v| self.name(v)));
                    format!("g.input({name:?}, &{:?}, {dtype})?", leaf.shape)
                }
                LeafKind::Constant => format!("g.constant({})?", self.values(leaf, 0)),
                LeafKind::State => format!("g.state_value(s{i})?"),
                LeafKind::Arena => format!("g.arena_values({})?", arena(leaf.dtype)),
            },
        }
    }

    fn values(&self, leaf: &Leaf, run: usize) -> String {
        let stream = leaf.stream * RUNS as u32 + run as u32;
        let dtype = leaf.dtype.code(&|v| self.name(v));
        format!("{}.tensor({}, {stream}, &{:?}, {dtype})", draw(&leaf.draw), self.seed, leaf.shape)
    }

    fn inputs(&self) -> String {
        let given = |s: &RecipeStep| match s {
            RecipeStep::Leaf(l) if l.kind == LeafKind::Input => Some(l.clone()),
            RecipeStep::Leaf(_) | RecipeStep::Call(_) | RecipeStep::Pack(..) => None,
        };
        let leaves: Vec<Leaf> = self.steps.iter().filter_map(given).collect();
        let mut out = String::from("let inputs = vec![\n");
        for run in 0..RUNS {
            let values: Vec<String> = leaves.iter().map(|l| self.values(l, run)).collect();
            let _ = writeln!(out, "    vec![{}],", values.join(", "));
        }
        out + "];\n"
    }
}

fn arena(dtype: DType) -> String {
    format!("arena_{dtype}")
}

fn draw(draw: &Draw) -> String {
    format!("Draw::{draw:?}").replace("([", "(vec![")
}
