//! Inputs that a kernel of a template computes as it reads them: generated code in the hooks that load.

use chiaro_graph::plan::{Load, Step};
use chiaro_shaders::{Hook, ShaderError, Source};

use super::binding::Composed;
use super::emit::{Emitter, Point};
use super::functions::Functions;
use super::{BindingSlot, slots};

/// The code of one input.
pub(super) struct InputCode<'a> {
    pub load: &'a Load,
    /// The axis of four neighbours that are read at once.
    pub lanes: Option<usize>,
    /// Position of the operand that the shader itself binds for the input.
    operand: usize,
    /// Name of its buffer.
    name: String,
    /// Where the code goes, and the type of what it gives.
    hook: Hook,
    result: &'static str,
}

impl<'a> InputCode<'a> {
    /// The code of all computed inputs of a step.
    ///
    /// # Errors
    /// [`ShaderError::Invalid`] if the shader reads vectors where the input's last axis has no whole number of them, or computes
    /// no input of this number.
    pub fn of(step: &'a Step, source: &Source) -> Result<Vec<InputCode<'a>>, ShaderError> {
        let mut found = vec![];
        for (number, load) in step.loads.iter().enumerate() {
            let Some(load) = load else { continue };
            let hooked = source.buffers().get(number).and_then(|b| Some((b, Hook::load_of(&b.name)?)));
            let Some((buffer, (hook, result))) = hooked else {
                return Err(ShaderError::Invalid(format!(
                    "{}: input {number} is not computed as it is read",
                    step.label
                )));
            };
            let domain = &load.program.domain;
            let axis = domain.len().checked_sub(1).filter(|&a| domain[a].is_multiple_of(4));
            let vector = source.width(buffer) == 4;
            if vector && axis.is_none() {
                let message = format!("{}: vectors of a computed input of {domain:?}", step.label);
                return Err(ShaderError::Invalid(message));
            }
            let lanes = axis.filter(|_| vector);
            found.push(InputCode {
                load,
                lanes,
                operand: step.inputs[number],
                name: buffer.name.clone(),
                hook,
                result,
            });
        }
        Ok(found)
    }

    /// Does the code read this operand through a binding that the shader does not have?
    pub fn needs(&self, operand: usize) -> bool {
        operand != self.operand && super::used(&[&self.load.program], operand)
    }

    /// Puts the code into the shader.
    pub fn put(&self, source: Source, slots: &[BindingSlot], functions: &mut Functions) -> Source {
        let mut slots = slots.to_vec();
        let width = if self.lanes.is_some() { 4 } else { 1 };
        slots[self.operand] = BindingSlot { name: self.name.clone(), width, ..slots[self.operand].clone() };
        let program = &self.load.program;
        let point = Point { parts: vec![(0..program.domain.len(), "index")], lanes: self.lanes, prefix: "l" };
        let unrounded = program.unseen_roundings(self.load.reg);
        let mut emitter = Emitter::new(program, &slots, point, functions).without_rounding(unrounded);
        emitter.run(&[]);
        let value = emitter.register(self.load.reg);
        let (index, value) = match self.lanes {
            Some(_) => {
                let four = [0, 1, 2, 3].map(|lane| value.lane(lane)).join(", ");
                ("word * 4u", format!("vec4<f32>({four})"))
            }
            None => ("word", value.lane(0).to_string()),
        };
        let (body, result) = (&emitter.text, self.result);
        let source =
            source.compute_input(self.hook, &format!("    let index = {index};\n{body}    return {result}({value});"));
        // The type of the kept value is the operand's, so that the word is the same.
        program.stores.iter().fold(source, |source, store| {
            let slot = &slots[store.operand];
            source.set_hook(Hook::KeepA, &format!("    {}[word] = {}(value);", slot.name, slot.word()))
        })
    }
}

/// Composes a shader without an epilogue, whose bindings are the step's inputs and then one buffer, which becomes scratch.
///
/// # Errors
/// As [`super::with_epilogue`].
pub(crate) fn with_loads(source: Source, step: &Step) -> Result<Composed, ShaderError> {
    let Some(parts) = source.buffers().get(step.inputs.len()).map(|buffer| buffer.name.clone()) else {
        return Err(ShaderError::Invalid(format!("{}: a shader that writes nothing", step.label)));
    };
    let inputs = InputCode::of(step, &source)?;
    let uses: Vec<_> = inputs.iter().map(|i| (&i.load.program, i.lanes)).collect();
    let slots = slots(&step.operands, &uses);
    let mut source = source.scratch(&parts);
    let extra: Vec<usize> = (0..step.operands.len()).filter(|&o| inputs.iter().any(|i| i.needs(o))).collect();
    for &operand in &extra {
        source.push_buffer(slots[operand].buffer(&step.operands[operand]));
    }
    let mut functions = Functions::default();
    for input in &inputs {
        source = input.put(source, &slots, &mut functions);
    }
    Composed::new(source.with(&functions.text()), [&step.inputs[..], &extra].concat(), &step.operands)
}
