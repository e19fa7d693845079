//! Reductions: a program gives the values, each workgroup reduces them for some results, in a fixed order, and another program
//! finishes the results. Few long reductions are split into parts that a second dispatch reduces.

use std::fmt::Write;

use chiaro_graph::plan::{Instr, Operand, Program, Reg, View};
use chiaro_graph::{DType, ReduceKind};
use chiaro_shaders::{BufferAccess, StorageBuffer};

use super::emit::{Emitter, Lanes, Point};
use super::functions::{Functions, wgsl_type};
use super::{BindingSlot, enabled, is_vector, slots, used, views};

/// Workgroups that fill a large device several times over.
const WANTED_GROUPS: usize = 1024;
/// A part has at least this many terms.
const SHORTEST_PART: usize = 128;
/// Fewer terms than this are not split: the second dispatch would take longer.
const SPLIT_FROM: usize = 1024;
/// Results of neighbouring threads at the most, where results are neighbours in memory.
const WIDEST: usize = 32;

/// One dispatch of a reduction.
pub(crate) struct ReducePass {
    /// The WGSL.
    pub text: String,
    /// Positions of the operands bound, in the order of bindings.
    pub binds: Vec<usize>,
    /// The scratch buffer is bound behind them.
    pub scratch: bool,
    /// Workgroups.
    pub workgroups: u64,
}

/// The most parts that a reduction to `kept` results of `reduced` terms each is split into.
pub(crate) fn most_parts(kept: usize, reduced: usize) -> usize {
    parts(kept.div_ceil(4 * WIDEST), reduced)
}

fn parts(blocks: usize, reduced: usize) -> usize {
    if reduced < SPLIT_FROM {
        return 1;
    }
    (WANTED_GROUPS / blocks.max(1)).min(reduced / SHORTEST_PART).max(1)
}

/// How the threads of a workgroup share the work, and how the work is split.
#[derive(Clone, Copy, Debug)]
struct ReduceLayout {
    /// Number of results.
    kept: usize,
    /// Terms of each.
    reduced: usize,
    /// Neighbouring threads have neighbouring results (and not neighbouring terms of one).
    by_columns: bool,
    /// Threads side by side on results, and on terms.
    threads: [usize; 2],
    /// Results and terms of one thread at a time: `[4, 1]`, `[1, 4]` or `[1, 1]`.
    lanes: [usize; 2],
    /// Parts of the terms.
    parts: usize,
}

impl ReduceLayout {
    fn new(kept: usize, reduced: usize, by_columns: bool, lanes: [usize; 2], threads: usize) -> Self {
        let threads = if by_columns {
            let side = kept.div_ceil(lanes[0]).next_power_of_two().clamp(1, WIDEST.min(threads));
            [side, threads / side]
        } else {
            let side = reduced.div_ceil(lanes[1]).next_power_of_two().clamp(1, threads);
            [threads / side, side]
        };
        // More threads along the terms than there are terms would only wait.
        let depth = reduced.div_ceil(lanes[1]).next_power_of_two().max(1);
        let threads = [threads[0] * (threads[1] / threads[1].min(depth)), threads[1].min(depth)];
        Self { kept, reduced, by_columns, threads, lanes, parts: 1 }
    }

    fn split(mut self) -> Self {
        self.parts = parts(self.blocks(), self.reduced);
        let chunk = self.chunk();
        self.parts = self.reduced.div_ceil(chunk.max(1)).max(1);
        self
    }

    /// Workgroups for one part.
    fn blocks(&self) -> usize {
        self.kept.div_ceil(self.threads[0] * self.lanes[0])
    }

    /// Terms of a part.
    fn chunk(&self) -> usize {
        self.reduced.div_ceil(self.parts).next_multiple_of(self.threads[1] * self.lanes[1])
    }

    fn invocations(&self) -> usize {
        self.threads[0] * self.threads[1]
    }
}

/// What is reduced: a program's registers, or the parts of an earlier pass.
enum Terms<'a> {
    Program { program: &'a Program, kept: usize, lanes: Option<usize> },
    Parts,
}

/// Generates the passes of a reduction by workgroups of at most `threads` invocations (a power of two).
pub(crate) fn reduce(
    prologue: &Program,
    kept: usize,
    results: &[(Reg, ReduceKind)],
    epilogue: &Program,
    operands: &[Operand],
    threads: usize,
) -> Vec<ReducePass> {
    let extent = |axes: &[usize]| axes.iter().product::<usize>();
    let (k, r) = (extent(&prologue.domain[..kept]), extent(&prologue.domain[kept..]));
    let by_columns = neighbours_are_results(prologue, kept, k, r);
    let axis = if by_columns { kept.checked_sub(1) } else { prologue.domain.len().checked_sub(1) };
    let loads = |axis: usize| (0..operands.len()).any(|o| views(prologue, o).any(|v| is_vector(v, axis)));
    let lanes = axis.filter(|&a| (a < kept) == by_columns && prologue.domain[a].is_multiple_of(4) && loads(a));
    let shape = match (lanes, by_columns) {
        (None, _) => [1, 1],
        (Some(_), true) => [4, 1],
        (Some(_), false) => [1, 4],
    };
    let layout = ReduceLayout::new(k, r, by_columns, shape, threads).split();
    let terms = Terms::Program { program: prologue, kept, lanes };
    let kinds: Vec<(DType, ReduceKind)> = results.iter().map(|&(reg, kind)| (prologue.types[reg], kind)).collect();
    let regs: Vec<Reg> = results.iter().map(|r| r.0).collect();
    if layout.parts == 1 {
        return vec![pass(&layout, &terms, &kinds, &regs, Some(epilogue), operands)];
    }
    let first = pass(&layout, &terms, &kinds, &regs, None, operands);
    let finish = ReduceLayout::new(k, layout.parts, k > 1, [1, 1], threads);
    vec![first, pass(&finish, &Terms::Parts, &kinds, &regs, Some(epilogue), operands)]
}

/// Are neighbouring results, rather than neighbouring terms, next to each other in memory?
fn neighbours_are_results(prologue: &Program, kept: usize, results: usize, terms: usize) -> bool {
    let loads = || prologue.instrs.iter().filter_map(Instr::load).map(|(_, view)| view);
    let contiguous = |axis: Option<usize>, v: &View| axis.is_some_and(|a| v.strides[a] == 1);
    let rank = prologue.domain.len();
    let (last_kept, last) = (kept.checked_sub(1), (rank > kept).then(|| rank - 1));
    let by_results = loads().filter(|v| contiguous(last_kept, v)).count();
    let by_terms = loads().filter(|v| contiguous(last, v)).count();
    if by_results == by_terms { results > terms } else { by_results > by_terms }
}

/// One pass; without an epilogue its results go to scratch, `[result, part, kept]`.
fn pass(
    layout: &ReduceLayout,
    terms: &Terms,
    kinds: &[(DType, ReduceKind)],
    regs: &[Reg],
    epilogue: Option<&Program>,
    operands: &[Operand],
) -> ReducePass {
    let mut uses: Vec<(&Program, Option<usize>)> = vec![];
    if let Terms::Program { program, lanes, .. } = terms {
        uses.push((program, *lanes));
    }
    if let Some(program) = epilogue {
        uses.push((program, epilogue_lanes(program, layout)));
    }
    let slots = slots(operands, &uses);
    let programs: Vec<&Program> = uses.iter().map(|u| u.0).collect();
    let binds: Vec<usize> = (0..operands.len()).filter(|&i| used(&programs, i)).collect();
    let scratch = epilogue.is_none() || matches!(terms, Terms::Parts);
    let mut functions = Functions::default();
    let body = body(&ReduceWork { layout, terms, kinds, regs, epilogue, slots: &slots }, &mut functions);
    let mut text = String::new();
    for (binding, &i) in binds.iter().enumerate() {
        text += &slots[i].buffer(&operands[i]).declaration(binding);
    }
    if scratch {
        let access = if epilogue.is_none() { BufferAccess::ReadWrite } else { BufferAccess::Read };
        text += &StorageBuffer::new("scratch", access, "u32").declaration(binds.len());
    }
    if layout.threads[1] > 1 {
        for (j, (dtype, _)) in kinds.iter().enumerate() {
            let size = layout.invocations() * layout.lanes[0];
            let _ = writeln!(text, "var<workgroup> shared{j}: array<{}, {size}>;", wgsl_type(*dtype));
        }
    }
    text += &functions.text();
    text += &body;
    ReducePass { text: enabled(text), binds, scratch, workgroups: (layout.blocks() * layout.parts) as u64 }
}

/// The axis of the epilogue's lanes, if a thread has four results that are neighbours in its domain too.
fn epilogue_lanes(program: &Program, layout: &ReduceLayout) -> Option<usize> {
    let axis = program.domain.len().checked_sub(1)?;
    (layout.lanes[0] == 4 && program.domain[axis].is_multiple_of(4)).then_some(axis)
}

/// What a pass reduces and where its results go.
struct ReduceWork<'a> {
    layout: &'a ReduceLayout,
    terms: &'a Terms<'a>,
    kinds: &'a [(DType, ReduceKind)],
    regs: &'a [Reg],
    epilogue: Option<&'a Program>,
    slots: &'a [BindingSlot],
}

/// The entry point.
fn body(work: &ReduceWork, functions: &mut Functions) -> String {
    let ReduceLayout { kept, by_columns, threads: [tk, tr], lanes: [kl, _], parts, .. } = *work.layout;
    let blocks = work.layout.blocks() * parts;
    let (side, depth) = if by_columns {
        (format!("thread % {tk}u"), format!("thread / {tk}u"))
    } else {
        (format!("thread / {tr}u"), format!("thread % {tr}u"))
    };
    let mut text = format!(
        "@compute @workgroup_size({threads})
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {{
    let block = group.x + group.y * groups.x;
    if (block >= {blocks}u) {{
        return;
    }}
    let part = block % {parts}u;
    let side = {side};
    let depth = {depth};
    let k = (block / {parts}u * {tk}u + side) * {kl}u;
",
        threads = work.layout.invocations(),
    );
    accumulate(work, functions, &mut text);
    if tr > 1 {
        across_threads(work.layout, work.kinds, &mut text);
    }
    let _ = writeln!(text, "    if (depth == 0u && k < {kept}u) {{");
    match work.epilogue {
        Some(program) => finish(work, program, functions, &mut text),
        None => {
            for j in 0..work.kinds.len() {
                for lane in 0..kl {
                    let at = format!("(part + {}u) * {kept}u + k + {lane}u", j * parts);
                    let _ = writeln!(text, "    scratch[{at}] = bitcast<u32>(sum{j}_{lane});");
                }
            }
        }
    }
    text += "    }\n}\n";
    text
}

/// Writes the loop over the terms of a thread. Its results are in `sum<result>_<lane>`.
fn accumulate(work: &ReduceWork, functions: &mut Functions, text: &mut String) {
    let ReduceLayout { kept, reduced, threads: [_, tr], lanes: [kl, rl], .. } = *work.layout;
    let chunk = work.layout.chunk();
    let accumulators = if kl * rl > 1 { 4 } else { 1 };
    for (j, (dtype, kind)) in work.kinds.iter().enumerate() {
        for lane in 0..accumulators {
            let _ = writeln!(text, "    var sum{j}_{lane} = {};", initial(*dtype, *kind, functions));
        }
    }
    let _ = writeln!(text, "    if (k < {kept}u) {{");
    let _ = writeln!(text, "    let end = min({reduced}u, (part + 1u) * {chunk}u);");
    let _ = writeln!(text, "    for (var r = part * {chunk}u + depth * {rl}u; r < end; r += {}u) {{", tr * rl);
    let values = term_values(work, functions, text);
    for (j, (dtype, kind)) in work.kinds.iter().enumerate() {
        for lane in 0..accumulators {
            let sum = format!("sum{j}_{lane}");
            let _ = writeln!(text, "    {sum} = {};", combine(*dtype, *kind, &sum, values[j].lane(lane)));
        }
    }
    text.push_str("    }\n    }\n");
    if rl == 4 {
        for (j, (dtype, kind)) in work.kinds.iter().enumerate() {
            for (to, from) in [(0, 2), (1, 3), (0, 1)] {
                let (to, from) = (format!("sum{j}_{to}"), format!("sum{j}_{from}"));
                let _ = writeln!(text, "    {to} = {};", combine(*dtype, *kind, &to, &from));
            }
        }
    }
}

/// Writes the statements that compute the terms at results `k` and terms `r`.
fn term_values(work: &ReduceWork, functions: &mut Functions, text: &mut String) -> Vec<Lanes> {
    let layout = work.layout;
    match work.terms {
        Terms::Program { program, kept, lanes } => {
            let rank = program.domain.len();
            let point = Point { parts: vec![(0..*kept, "k"), (*kept..rank, "r")], lanes: *lanes, prefix: "p" };
            let mut emitter = Emitter::new(program, work.slots, point, functions);
            emitter.run(&[]);
            *text += &emitter.text;
            work.regs.iter().map(|&r| emitter.register(r).clone()).collect()
        }
        Terms::Parts => {
            let load = |(j, (dtype, _)): (usize, &(DType, ReduceKind))| {
                let at = format!("(r + {}u) * {}u + k", j * layout.reduced, layout.kept);
                Lanes::Same(format!("bitcast<{}>(scratch[{at}])", wgsl_type(*dtype)))
            };
            work.kinds.iter().enumerate().map(load).collect()
        }
    }
}

/// Reduces over the threads that share results; afterwards those of depth 0 have them.
fn across_threads(layout: &ReduceLayout, kinds: &[(DType, ReduceKind)], text: &mut String) {
    let [tk, tr] = layout.threads;
    let all = layout.invocations();
    let stride = if layout.by_columns { tk } else { 1 };
    for j in 0..kinds.len() {
        for lane in 0..layout.lanes[0] {
            let _ = writeln!(text, "    shared{j}[thread + {}u] = sum{j}_{lane};", lane * all);
        }
    }
    let mut half = tr / 2;
    while half > 0 {
        let _ = writeln!(text, "    workgroupBarrier();\n    if (depth < {half}u) {{");
        for (j, (dtype, kind)) in kinds.iter().enumerate() {
            for lane in 0..layout.lanes[0] {
                let sum = format!("sum{j}_{lane}");
                let other = format!("shared{j}[thread + {}u]", lane * all + half * stride);
                let _ = writeln!(text, "    {sum} = {};", combine(*dtype, *kind, &sum, &other));
                let _ = writeln!(text, "    shared{j}[thread + {}u] = {sum};", lane * all);
            }
        }
        text.push_str("    }\n");
        half /= 2;
    }
}

/// Writes the epilogue for the results of a thread.
fn finish(work: &ReduceWork, program: &Program, functions: &mut Functions, text: &mut String) {
    let ReduceWork { layout, slots, .. } = *work;
    let results = work.kinds.len();
    let rank = program.domain.len();
    let lanes = epilogue_lanes(program, layout);
    if lanes.is_some() {
        let point = Point { parts: vec![(0..rank, "k")], lanes, prefix: "e" };
        let values: Vec<Lanes> =
            (0..results).map(|j| Lanes::Each([0, 1, 2, 3].map(|l| format!("sum{j}_{l}")))).collect();
        let mut emitter = Emitter::new(program, slots, point, functions);
        emitter.run(&values);
        emitter.stores();
        *text += &emitter.text;
        return;
    }
    for lane in 0..layout.lanes[0] {
        let values: Vec<Lanes> = (0..results).map(|j| Lanes::Same(format!("sum{j}_{lane}"))).collect();
        let position = format!("k{lane}");
        let point = Point { parts: vec![(0..rank, position.as_str())], lanes: None, prefix: "e" };
        let mut emitter = Emitter::new(program, slots, point, functions);
        emitter.run(&values);
        emitter.stores();
        let _ = writeln!(text, "    {{\n    let {position} = k + {lane}u;\n{}    }}", emitter.text);
    }
}

/// What a reduction starts from.
fn initial(dtype: DType, kind: ReduceKind, functions: &mut Functions) -> String {
    match (kind, dtype) {
        (ReduceKind::Sum, _) => format!("{}(0)", wgsl_type(dtype)),
        (ReduceKind::Max, DType::I32) => "i32(-2147483648)".into(),
        (ReduceKind::Min, DType::I32) => "i32(2147483647)".into(),
        (ReduceKind::Max, DType::U32 | DType::Bool) => "0u".into(),
        (ReduceKind::Min, DType::U32 | DType::Bool) => "0xffffffffu".into(),
        (ReduceKind::Max, _) => functions.extreme(f32::NEG_INFINITY),
        (ReduceKind::Min, _) => functions.extreme(f32::INFINITY),
    }
}

/// The reduction of two; a NaN stays. NaNs are known by their bits, since compilers may assume that there are none.
fn combine(dtype: DType, kind: ReduceKind, a: &str, b: &str) -> String {
    let float = matches!(dtype, DType::F32 | DType::F16);
    match (kind, float) {
        (ReduceKind::Sum, _) => format!("{a} + {b}"),
        (ReduceKind::Max, false) => format!("max({a}, {b})"),
        (ReduceKind::Min, false) => format!("min({a}, {b})"),
        (ReduceKind::Max, true) => format!("select({a}, {b}, is_nan({b}) || ({b} > {a} && !is_nan({a})))"),
        (ReduceKind::Min, true) => format!("select({a}, {b}, is_nan({b}) || ({b} < {a} && !is_nan({a})))"),
    }
}
