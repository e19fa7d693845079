//! Inputs that a kernel from a `.wgsl` file computes as it reads them: generated code in place of `a_load` or `b_load`.

use chiaro_graph::plan::{Instr, Load, Program, Reg, Step};
use chiaro_graph::{DType, Elementwise};
use chiaro_shaders::{ShaderError, Source};

use super::binding::{Composed, DeclaredBuffer, declare_access};
use super::emit::{Emitter, Point};
use super::functions::Functions;
use super::{Slot, enabled, slots, writable};

/// The code of one input.
pub(super) struct InputCode<'a> {
    pub load: &'a Load,
    /// The axis of four neighbours that are read at once.
    pub lanes: Option<usize>,
    /// Position of the operand that the shader itself binds for the input.
    operand: usize,
    /// Name of its buffer.
    name: String,
}

impl<'a> InputCode<'a> {
    /// The code of all computed inputs of a step.
    ///
    /// # Errors
    /// [`ShaderError::Invalid`] if the shader reads vectors where the input's last axis has no whole number of them.
    pub fn of(step: &'a Step, text: &str) -> Result<Vec<InputCode<'a>>, ShaderError> {
        let mut found = vec![];
        for (number, load) in step.loads.iter().enumerate() {
            let Some(load) = load else { continue };
            let binding = DeclaredBuffer::find(text, number)?;
            let domain = &load.program.domain;
            let axis = domain.len().checked_sub(1).filter(|&a| domain[a].is_multiple_of(4));
            let lanes = if binding.is_vector(text) { axis } else { None };
            if binding.is_vector(text) && lanes.is_none() {
                let message = format!("{}: vectors of a computed input of {domain:?}", step.label);
                return Err(ShaderError::Invalid(message));
            }
            found.push(InputCode { load, lanes, operand: step.inputs[number], name: binding.name });
        }
        Ok(found)
    }

    /// Does the code read this operand through a binding that the shader does not have?
    pub fn needs(&self, operand: usize) -> bool {
        operand != self.operand && super::used(&[&self.load.program], operand)
    }

    /// Puts the code into the shader.
    pub fn put(&self, source: Source, slots: &[Slot], functions: &mut Functions) -> Source {
        let mut slots = slots.to_vec();
        let width = if self.lanes.is_some() { 4 } else { 1 };
        slots[self.operand] = Slot { name: self.name.clone(), width, ..slots[self.operand].clone() };
        let program = &self.load.program;
        let point = Point { parts: vec![(0..program.domain.len(), "index")], lanes: self.lanes, prefix: "l" };
        let unrounded = unseen_casts(program, self.load.reg);
        let mut emitter = Emitter::new(program, &slots, point, functions).without_rounding(unrounded);
        emitter.run(&[]);
        let value = emitter.register(self.load.reg);
        let (index, result) = match self.lanes {
            Some(_) => {
                let four = [0, 1, 2, 3].map(|lane| value.lane(lane)).join(", ");
                ("word * 4u", format!("vec4<f32>({four})"))
            }
            None => ("word", value.lane(0).to_string()),
        };
        let (name, ty) = (format!("{}_load", self.name), format!("{}Val", self.name.to_uppercase()));
        let body = &emitter.text;
        let code = format!(
            "fn {name}(word: u32) -> {ty} {{\n    let index = {index};\n{body}    return {ty}({result});\n}}\n"
        );
        source.replace_fn(&name, &code)
    }
}

/// The casts to 16 bits that only the product sees, which multiplies 32 bits: further digits do no harm there, and a rounding costs
/// some 20 operations an element. (Cooperative matrices round what they load.) A comparison must see the rounded value.
fn unseen_casts(program: &Program, result: Reg) -> Vec<Reg> {
    let mut users = vec![0; program.instrs.len()];
    for instr in &program.instrs {
        match instr {
            Instr::Value(_) | Instr::Load { .. } | Instr::Scalar(_) | Instr::Index(_) => {}
            Instr::Random { operands, .. } => operands.iter().for_each(|&reg| users[reg] += 1),
            Instr::Map(_, regs) => regs.iter().for_each(|&reg| users[reg] += 1),
            Instr::Cast(_, reg) => users[*reg] += 1,
        }
    }
    let (mut casts, mut open) = (vec![], vec![result]);
    while let Some(reg) = open.pop() {
        if users[reg] > usize::from(reg != result) {
            continue;
        }
        match &program.instrs[reg] {
            Instr::Cast(DType::F16, _) => casts.push(reg),
            // These give one of the values they are given.
            Instr::Map(Elementwise::Relu, regs) => open.extend(regs),
            Instr::Map(Elementwise::Where, regs) => open.extend(&regs[1..]),
            Instr::Map(..) | Instr::Cast(..) | Instr::Random { .. } => {}
            Instr::Value(_) | Instr::Load { .. } | Instr::Scalar(_) | Instr::Index(_) => {}
        }
    }
    casts
}

/// Composes a shader without an epilogue, whose bindings are the step's inputs and then a scratch buffer. The operands bound are
/// those before and behind the scratch buffer.
///
/// # Errors
/// As [`super::with_epilogue`].
pub(crate) fn with_loads(source: Source, step: &Step) -> Result<Composed, ShaderError> {
    let inputs = InputCode::of(step, source.text())?;
    let uses: Vec<_> = inputs.iter().map(|i| (&i.load.program, i.lanes)).collect();
    let slots = slots(&step.operands, &uses);
    let mut binds = step.inputs.clone();
    binds.extend((0..step.operands.len()).filter(|&o| inputs.iter().any(|i| i.needs(o))));
    let mut functions = Functions::default();
    let mut source = source;
    for input in &inputs {
        source = input.put(source, &slots, &mut functions);
    }
    let mut declarations = functions.text();
    for (extra, &o) in binds[step.inputs.len()..].iter().enumerate() {
        // One binding is the scratch buffer's.
        declarations += &slots[o].declaration(step.inputs.len() + 1 + extra, writable(&step.operands[o]));
    }
    let text = declare_access(&source.build()?, &step.inputs, &step.operands)?;
    Ok(Composed { text: enabled(text + "\n" + &declarations), binds })
}
