//! Programs as WGSL statements, for one point of the domain or for four neighbours ("lanes") at once.

use std::fmt::Write;
use std::ops::Range;

use chiaro_graph::plan::{Instr, Program, Reg, Store, View};
use chiaro_graph::{Class, DType, RandomKind};

use super::functions::{Functions, stored_type};
use super::{BindingSlot, is_vector};

/// Where the code runs: positions as row-major numbers over ranges of the domain's axes.
#[derive(Clone)]
pub(super) struct Point<'a> {
    /// Ranges of axes that cover the domain, each with the variable that holds the position within it.
    pub parts: Vec<(Range<usize>, &'a str)>,
    /// The axis along which four neighbours are computed at once; the position is that of the first.
    pub lanes: Option<usize>,
    /// Begins the names of all variables.
    pub prefix: &'a str,
}

/// The expression of a register: one for all lanes, or one each.
#[derive(Clone, Debug)]
pub(super) enum Lanes {
    Same(String),
    Each([String; 4]),
}

impl Lanes {
    pub fn lane(&self, lane: usize) -> &str {
        match self {
            Lanes::Same(text) => text,
            Lanes::Each(texts) => &texts[lane],
        }
    }
}

/// Writes the statements of one program.
pub(super) struct Emitter<'a> {
    program: &'a Program,
    slots: &'a [BindingSlot],
    point: Point<'a>,
    functions: &'a mut Functions,
    registers: Vec<Lanes>,
    /// Casts to 16 bits whose rounding nothing sees: left out.
    unrounded: Vec<Reg>,
    /// The statements so far.
    pub text: String,
}

const COMPONENTS: [&str; 4] = ["x", "y", "z", "w"];

impl<'a> Emitter<'a> {
    pub fn new(program: &'a Program, slots: &'a [BindingSlot], point: Point<'a>, functions: &'a mut Functions) -> Self {
        let mut emitter =
            Emitter { program, slots, point, functions, registers: vec![], unrounded: vec![], text: String::new() };
        emitter.coordinates();
        emitter
    }

    /// Leaves out the rounding of these casts.
    pub fn without_rounding(mut self, casts: Vec<Reg>) -> Self {
        self.unrounded = casts;
        self
    }

    /// Writes the code; `values` holds the results of the kernel that the program is the epilogue of.
    pub fn run(&mut self, values: &[Lanes]) {
        for reg in 0..self.program.instrs.len() {
            let lanes = self.instruction(reg, values);
            self.registers.push(lanes);
        }
    }

    /// The expression of a register.
    pub fn register(&self, reg: Reg) -> &Lanes {
        &self.registers[reg]
    }

    fn line(&mut self, line: &str) {
        let _ = writeln!(self.text, "    {line}");
    }

    /// Defines the coordinates that some view needs.
    fn coordinates(&mut self) {
        let program = self.program;
        for axis in 0..program.domain.len() {
            let mut needed = all_views(program).filter(|v| !self.is_position(v));
            if !needed.any(|v| v.strides[axis] != 0) {
                continue;
            }
            let Some((range, name)) = self.point.parts.iter().find(|(r, _)| r.contains(&axis)).cloned() else {
                continue;
            };
            let inner: usize = program.domain[axis + 1..range.end].iter().product();
            let mut value = name.to_string();
            if inner > 1 {
                value = format!("{value} / {inner}u");
            }
            if axis > range.start {
                value = format!("{value} % {}u", program.domain[axis]);
            }
            let line = format!("let {}c{axis} = {value};", self.point.prefix);
            self.line(&line);
        }
    }

    /// Is the element the position itself?
    fn is_position(&self, view: &View) -> bool {
        self.point.parts.len() == 1 && view.is_identity(&self.program.domain)
    }

    /// The element of the first lane.
    fn element(&self, view: &View) -> String {
        if self.is_position(view) {
            return self.point.parts[0].1.to_string();
        }
        let mut text = if view.offset > 0 { format!("{}u", view.offset) } else { String::new() };
        if view.offset < 0 {
            text = format!("0u - {}u", -view.offset);
        }
        for (axis, &stride) in view.strides.iter().enumerate().filter(|(a, s)| **s != 0 && self.program.domain[*a] > 1)
        {
            let sign = match (stride < 0, text.is_empty()) {
                (true, true) => "0u - ",
                (true, false) => " - ",
                (false, true) => "",
                (false, false) => " + ",
            };
            let size = stride.unsigned_abs();
            let factor = if size == 1 { String::new() } else { format!(" * {size}u") };
            let _ = write!(text, "{sign}{}c{axis}{factor}", self.point.prefix);
        }
        if text.is_empty() { "0u".into() } else { text }
    }

    /// Elements to move from lane to lane.
    fn lane_stride(&self, view: &View) -> isize {
        self.point.lanes.map_or(0, |axis| view.strides[axis])
    }

    fn instruction(&mut self, reg: Reg, values: &[Lanes]) -> Lanes {
        let program = self.program;
        match &program.instrs[reg] {
            Instr::Value(i) => values.get(*i).cloned().unwrap_or_else(|| Lanes::Same("0.0".into())),
            Instr::Scalar(s) => Lanes::Same(self.functions.literal(*s)),
            Instr::Index(view) => {
                let (element, stride) = (self.element(view), self.lane_stride(view));
                self.define(reg, |lane| shifted(&element, stride, lane), stride != 0)
            }
            Instr::Load { operand, view, dtype } => self.load(reg, *operand, view, *dtype),
            Instr::Random { kind, salt, operands } => self.random(reg, *kind, *salt, operands),
            Instr::Cast(_, from) if self.unrounded.contains(&reg) => self.registers[*from].clone(),
            Instr::Cast(to, from) => {
                let (source, x) = (program.types[*from], self.registers[*from].clone());
                let each = matches!(x, Lanes::Each(_));
                let values = [0, 1, 2, 3].map(|lane| self.functions.cast(*to, source, x.lane(lane)));
                self.define(reg, |lane| values[lane].clone(), each)
            }
            Instr::Map(op, regs) => {
                let typed = if op.class() == Class::Select { regs[1] } else { regs[0] };
                let name = self.functions.elementwise(*op, program.types[typed]);
                let operands: Vec<Lanes> = regs.iter().map(|&r| self.registers[r].clone()).collect();
                let each = operands.iter().any(|x| matches!(x, Lanes::Each(_)));
                let call = |lane: usize| {
                    let list: Vec<&str> = operands.iter().map(|x| x.lane(lane)).collect();
                    format!("{name}({})", list.join(", "))
                };
                self.define(reg, call, each)
            }
        }
    }

    /// Defines a register's variable, one for each lane if they differ.
    fn define(&mut self, reg: Reg, value: impl Fn(usize) -> String, each: bool) -> Lanes {
        let name = format!("{}r{reg}", self.point.prefix);
        if !each {
            self.line(&format!("let {name} = {};", value(0)));
            return Lanes::Same(name);
        }
        Lanes::Each([0, 1, 2, 3].map(|lane| {
            let name = format!("{name}_{lane}");
            self.line(&format!("let {name} = {};", value(lane)));
            name
        }))
    }

    fn load(&mut self, reg: Reg, operand: usize, view: &View, dtype: DType) -> Lanes {
        let slot = self.slots[operand].clone();
        let (element, stride) = (self.element(view), self.lane_stride(view));
        let vector = self.point.lanes.is_some_and(|axis| is_vector(view, axis));
        if slot.width == 4 && vector {
            let name = format!("{}v{reg}", self.point.prefix);
            self.line(&format!("let {name} = {}[({element}) / 4u];", slot.name));
            return self.define(reg, |lane| loaded(dtype, &format!("{name}.{}", COMPONENTS[lane])), true);
        }
        let at = format!("{}i{reg}", self.point.prefix);
        self.line(&format!("let {at} = {element};"));
        self.define(reg, |lane| loaded(dtype, &indexed(&slot, &shifted(&at, stride, lane))), stride != 0)
    }

    fn random(&mut self, reg: Reg, kind: RandomKind, salt: u32, operands: &[Reg; 4]) -> Lanes {
        self.functions.random = true;
        let [low, high, step, index] = operands.map(|r| self.registers[r].clone());
        let words = |lane: usize, index: &str| {
            let key = [&low, &high, &step].map(|k| k.lane(lane)).join(", ");
            format!("random_words({key}, {salt}u, {index} / 4u)")
        };
        let number = |words: &str, lane: &str| match kind {
            RandomKind::Uniform => format!("random_uniform({words}[{lane} & 3u])"),
            RandomKind::Normal => format!("random_normal({words}, {lane} & 3u)"),
        };
        // Four neighbours from a multiple of four on are one block: a single call gives them all.
        let in_block = match &self.program.instrs[operands[3]] {
            Instr::Index(view) => self.point.lanes.is_some_and(|axis| is_vector(view, axis)),
            Instr::Value(_)
            | Instr::Load { .. }
            | Instr::Scalar(_)
            | Instr::Random { .. }
            | Instr::Map(..)
            | Instr::Cast(..) => false,
        };
        if in_block {
            let name = format!("{}w{reg}", self.point.prefix);
            self.line(&format!("let {name} = {};", words(0, index.lane(0))));
            return self.define(reg, |lane| number(&name, &format!("{lane}u")), true);
        }
        let each = [&low, &high, &step, &index].iter().any(|x| matches!(x, Lanes::Each(_)));
        self.define(reg, |lane| number(&words(lane, index.lane(lane)), index.lane(lane)), each)
    }

    /// Writes all stores.
    pub fn stores(&mut self) {
        for store in &self.program.stores {
            self.store(store);
        }
    }

    /// Writes one store.
    pub fn store(&mut self, store: &Store) {
        let slot = self.slots[store.operand].clone();
        let (element, stride) = (self.element(&store.view), self.lane_stride(&store.view));
        let value = self.registers[store.reg].clone();
        let vector = self.point.lanes.is_some_and(|axis| is_vector(&store.view, axis));
        if slot.width == 4 && vector {
            let lanes = [0, 1, 2, 3].map(|lane| stored(store.dtype, value.lane(lane))).join(", ");
            let word = slot.word();
            self.line(&format!("{}[({element}) / 4u] = {word}({lanes});", slot.name));
            return;
        }
        // Without a stride every lane stores to one element, as many times as there are points: once will do.
        let lanes = if stride == 0 { 0..1 } else { 0..4 };
        for lane in lanes {
            let target = indexed(&slot, &shifted(&format!("({element})"), stride, lane));
            self.line(&format!("{target} = {};", stored(store.dtype, value.lane(lane))));
        }
    }
}

fn all_views(program: &Program) -> impl Iterator<Item = &View> {
    program.instrs.iter().filter_map(Instr::view).chain(program.stores.iter().map(|s| &s.view))
}

/// `element + stride * lane`.
fn shifted(element: &str, stride: isize, lane: usize) -> String {
    let distance = stride.unsigned_abs() * lane;
    match distance {
        0 => element.to_string(),
        _ if stride < 0 => format!("{element} - {distance}u"),
        _ => format!("{element} + {distance}u"),
    }
}

/// One element of a buffer.
fn indexed(slot: &BindingSlot, element: &str) -> String {
    match slot.width {
        4 => format!("{}[({element}) / 4u][({element}) % 4u]", slot.name),
        _ => format!("{}[{element}]", slot.name),
    }
}

/// A stored value as a register holds it.
fn loaded(dtype: DType, value: &str) -> String {
    match dtype {
        DType::F16 => format!("f32({value})"),
        DType::Bool => format!("({value} != 0u)"),
        DType::F32 | DType::I32 | DType::U32 => value.to_string(),
    }
}

/// A register's value as it is stored.
fn stored(dtype: DType, value: &str) -> String {
    match dtype {
        DType::F16 | DType::Bool => format!("{}({value})", stored_type(dtype)),
        DType::F32 | DType::I32 | DType::U32 => value.to_string(),
    }
}
