//! Decides which values get buffers of their own; the others are recomputed inside the kernels that use them.

use super::PlanOptions;
use crate::dtype::DType;
use crate::graph::{Graph, Var};
use crate::op::Op;
use crate::ops::{Role, role};
use crate::shape::{count, strides};

/// Expressions of at most this many ops that read at most one large tensor are recomputed by each kernel that uses them.
const CHEAP: usize = 8;

/// Most ops in a row that are computed within one kernel: the program that is made of them is walked down by calls within calls, and longer ones
/// are no faster.
const DEEPEST: usize = 400;

/// What was decided about each node.
pub(super) struct Decisions {
    /// Reached from an output or assignment.
    pub live: Vec<bool>,
    /// Computed into a buffer.
    pub located: Vec<bool>,
}

/// Operands that a plan looks at: of a value with its own gradient rule, the value alone.
pub(super) fn operands(graph: &Graph, v: Var) -> &[Var] {
    let node = graph.node(v);
    if matches!(node.op, Op::WithGradient(_)) { &node.inputs[..1] } else { &node.inputs }
}

/// The buffer-holding value behind reshapes and contiguous slices, and the first element within it.
pub(super) fn resolve(graph: &Graph, v: Var, alignment: usize) -> (Var, usize) {
    let (mut root, mut slices) = (v, vec![]);
    loop {
        let node = graph.node(root);
        if let Op::Slice { start, step } = &node.op {
            let Some(first) = contiguous_start(graph.shape(node.inputs[0]), &node.shape, start, step) else { break };
            slices.push((root, first));
        } else if !matches!(node.op, Op::Reshape | Op::WithGradient(_)) {
            break;
        }
        root = node.inputs[0];
    }
    let mut offset = 0;
    for (slice, first) in slices.into_iter().rev() {
        // Alignments count 32-bit elements; a 16-bit one is half as long.
        let unit = if alignment > 1 { alignment * 4 / graph.dtype(slice).size() } else { 1 };
        (root, offset) = if (offset + first).is_multiple_of(unit) { (root, offset + first) } else { (slice, 0) };
    }
    (root, offset)
}

/// First element of a slice that is one contiguous run.
fn contiguous_start(from: &[usize], to: &[usize], start: &[usize], step: &[isize]) -> Option<usize> {
    let first_cut = (0..from.len()).find(|&i| to[i] > 1)?;
    let whole = (first_cut + 1..from.len()).all(|i| from[i] == to[i]);
    let forward = (0..from.len()).all(|i| step[i] == 1 || to[i] == 1);
    let row = strides(from);
    (whole && forward).then(|| start.iter().zip(row).map(|(s, r)| s * r).sum())
}

/// True when a reshape only adds or removes axes of extent 1.
pub(super) fn only_ones_change(from: &[usize], to: &[usize]) -> bool {
    let significant = |s: &[usize]| s.iter().copied().filter(|&n| n != 1).collect::<Vec<_>>();
    significant(from) == significant(to)
}

pub(super) fn decide(graph: &Graph, options: &PlanOptions) -> Decisions {
    // Whether an expression is cheap depends on what its operands will turn out to be; the second round knows.
    let first = decide_once(graph, options, vec![false; graph.nodes().len()]);
    decide_once(graph, options, first.located)
}

fn decide_once(graph: &Graph, options: &PlanOptions, expected: Vec<bool>) -> Decisions {
    let n = graph.nodes().len();
    let mut d = Decider {
        graph,
        options,
        expected,
        live: vec![false; n],
        located: vec![false; n],
        users: vec![vec![]; n],
        depth: vec![0; n],
    };
    let results = graph.outputs().iter().map(|(_, v)| *v).chain(graph.assignments().iter().map(|(_, v)| *v));
    for v in results {
        d.live[v.index()] = true;
        d.demand(v);
    }
    for i in (0..n).rev() {
        if d.live[i] {
            d.visit(graph.value(i));
        }
    }
    Decisions { live: d.live, located: d.located }
}

struct Decider<'a> {
    graph: &'a Graph,
    options: &'a PlanOptions,
    /// Values that an earlier round gave buffers to.
    expected: Vec<bool>,
    live: Vec<bool>,
    located: Vec<bool>,
    /// Kernels that would compute each value inline.
    users: Vec<Vec<Var>>,
    /// Ops in a row between each value and the kernel that computes it inline.
    depth: Vec<usize>,
}

impl Decider<'_> {
    /// The value is read from a buffer by somebody.
    fn demand(&mut self, v: Var) {
        let (root, _) = resolve(self.graph, v, self.options.alignment);
        if role(&self.graph.node(root).op) != Role::Leaf {
            self.located[root.index()] = true;
        }
    }

    /// Sees a live node after all its users.
    fn visit(&mut self, v: Var) {
        let node = self.graph.node(v);
        let role = role(&node.op);
        for &x in operands(self.graph, v) {
            self.live[x.index()] = true;
        }
        match role {
            Role::Leaf => return,
            Role::Structural => {
                self.located[v.index()] = true;
                let traced = matches!(node.op, Op::Concat(_) | Op::Pad { .. } | Op::Pack(..));
                for x in operands(self.graph, v).to_vec() {
                    if traced { self.uses(x, v) } else { self.demand(x) }
                }
                if matches!(node.op, Op::Pack(..)) {
                    operands(self.graph, v).to_vec().into_iter().for_each(|x| self.demand(x));
                }
                return;
            }
            Role::Reduce => self.located[v.index()] = true,
            Role::Pointwise | Role::Movement => {
                let many = self.users[v.index()].len() > 1;
                let shared = many && !self.is_cheap(v, CHEAP, 1) && !self.is_small_operand(v);
                let plain = !self.options.fuse && !is_free(&node.op);
                if role == Role::Pointwise && shared && self.widens(v) {
                    // The narrow value takes half the bytes, and widening it again costs nothing.
                    self.demand(node.inputs[0]);
                } else if role == Role::Pointwise && (plain || shared) {
                    self.located[v.index()] = true;
                } else if self.depth[v.index()] >= DEEPEST {
                    self.demand(v);
                }
            }
        }
        self.visit_traced(v);
    }

    /// Passes a traced node's users on to its operands.
    fn visit_traced(&mut self, v: Var) {
        let node = self.graph.node(v);
        let is_root = self.located[v.index()];
        let users = if is_root { vec![v] } else { self.users[v.index()].clone() };
        let depth = if is_root { 1 } else { self.depth[v.index()] + 1 };
        for x in operands(self.graph, v).to_vec() {
            self.depth[x.index()] = self.depth[x.index()].max(depth);
            for &u in &users {
                self.uses(x, u);
            }
            let opaque = matches!(node.op, Op::Reshape) && !only_ones_change(self.graph.shape(x), &node.shape);
            let wide = matches!(node.op, Op::Broadcast) && !self.broadcasts_inline(x, v);
            if opaque || wide {
                self.demand(x);
            }
        }
    }

    fn uses(&mut self, x: Var, user: Var) {
        if !matches!(role(&self.graph.node(x).op), Role::Pointwise | Role::Movement) {
            // It lies in a buffer, whoever uses it.
            return;
        }
        let list = &mut self.users[x.index()];
        if !list.contains(&user) {
            list.push(user);
        }
    }

    /// Should an expression be recomputed at every point that it broadcasts to?
    fn broadcasts_inline(&self, x: Var, to: Var) -> bool {
        let ratio = count(self.graph.shape(to)) / count(self.graph.shape(x)).max(1);
        let budget = if self.options.inline_broadcasts { CHEAP } else { 0 };
        ratio < 8 || self.is_cheap(x, budget, 4)
    }

    /// A 16-bit value in 32 bits?
    fn widens(&self, v: Var) -> bool {
        let node = self.graph.node(v);
        matches!(node.op, Op::Cast(DType::F32)) && self.graph.dtype(node.inputs[0]) == DType::F16
    }

    /// A short expression that all its users repeat over a much larger domain.
    fn is_small_operand(&self, v: Var) -> bool {
        let size = 8 * count(self.graph.shape(v));
        let domain = |u: &Var| {
            let node = self.graph.node(*u);
            if role(&node.op) == Role::Reduce { count(self.graph.shape(node.inputs[0])) } else { count(&node.shape) }
        };
        self.options.inline_broadcasts
            && self.users[v.index()].iter().all(|u| domain(u) >= size)
            && self.is_cheap(v, CHEAP, 4)
    }

    /// At most `budget` ops and `loads` tensors of its size to read; or nothing to read at all.
    fn is_cheap(&self, v: Var, budget: usize, loads: usize) -> bool {
        let mut walk = Walk { large: vec![], cost: 0, seen: vec![] };
        self.walk(v, count(self.graph.shape(v)), &mut walk);
        walk.large.is_empty() && budget > 0 || walk.large.len() <= loads && walk.cost <= budget
    }

    fn walk(&self, v: Var, size: usize, walk: &mut Walk) {
        let node = self.graph.node(v);
        if walk.seen.contains(&v) || walk.seen.len() > 64 {
            walk.cost += usize::from(walk.seen.len() > 64) * 1000;
            return;
        }
        walk.seen.push(v);
        let (root, _) = resolve(self.graph, v, self.options.alignment);
        let held = |x: Var| {
            self.located[x.index()]
                || self.expected[x.index()]
                || !matches!(role(&self.graph.node(x).op), Role::Pointwise | Role::Movement)
        };
        if held(root) && walk.seen.len() > 1 || role(&node.op) == Role::Leaf {
            if 2 * count(self.graph.shape(v)) >= size && !walk.large.contains(&root) {
                walk.large.push(root);
            }
            return;
        }
        if let Op::Map(op) = &node.op {
            walk.cost += op.cost();
        }
        for &x in operands(self.graph, v) {
            self.walk(x, size, walk);
        }
    }
}

struct Walk {
    large: Vec<Var>,
    cost: usize,
    seen: Vec<Var>,
}

/// Values that need no memory to be read.
fn is_free(op: &Op) -> bool {
    matches!(op, Op::Scalar(_))
}
