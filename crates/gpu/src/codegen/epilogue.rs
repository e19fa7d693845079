//! Epilogues: the code that finishes the results of a kernel of a template, and the buffers that it brings along.

use std::fmt::Write;

use chiaro_graph::plan::{Kernel, Program, Reg, Step, Store};
use chiaro_shaders::{Hook, ShaderError, Source, StorageBuffer};

use super::binding::Composed;
use super::emit::{Emitter, Lanes, Point};
use super::functions::Functions;
use super::loads::InputCode;
use super::{BindingSlot, slots, used};

/// Composes a shader whose buffers are the kernel's `inputs` and then one output, and whose results go through [`Hook::Put`] or
/// [`Hook::Put4`]. The step's program stores them; its first store that is row-major and of floats goes to the shader's own
/// output. A shader made to reduce `columns` gets their registers.
///
/// # Errors
/// Those of the composition, and [`ShaderError::Invalid`] for a shader that does not keep to this form.
pub(crate) fn with_epilogue(source: Source, step: &Step) -> Result<Composed, ShaderError> {
    let Step { program, inputs, operands, .. } = step;
    let tails: Vec<Reg> = step.columns.iter().flat_map(|c| &c.results).map(|r| r.0).collect();
    let computed = step.loads.iter().any(Option::is_some);
    if program.is_plain() && tails.len() <= 1 && !computed {
        let binds = [&inputs[..], &[program.stores[0].operand]].concat();
        return Composed::new(source, binds, operands);
    }
    let Some(output) = source.buffers().get(inputs.len()).cloned() else {
        return Err(ShaderError::Invalid(format!("{}: a shader that writes nothing", step.label)));
    };
    let vector = source.has(Hook::Put4);
    let axis = program.domain.len().checked_sub(1).filter(|&a| vector && program.domain[a].is_multiple_of(4));
    if vector && axis.is_none() && !tails.is_empty() {
        return Err(ShaderError::Invalid("columns of a program whose last axis is not the output's".into()));
    }
    let loaded = InputCode::of(step, &source)?;
    let mut uses = vec![(program, axis)];
    uses.extend(loaded.iter().map(|i| (&i.load.program, i.lanes)));
    let mut slots = slots(operands, &uses);
    let shared = slots.clone();
    let own = own_store(program);
    let own_operand = own.map(|own| program.stores[own].operand);
    if let Some(operand) = own_operand {
        let width = if vector { 4 } else { 1 };
        slots[operand] = BindingSlot { name: output.name.clone(), width, ..slots[operand].clone() };
    }
    let extra = |&i: &usize| used(&[program], i) && Some(i) != own_operand || loaded.iter().any(|input| input.needs(i));
    let extra: Vec<usize> = (0..operands.len()).filter(extra).collect();
    let mut functions = Functions::default();
    let results = Results { program, own, output: &output, tails: &tails, slots: &slots };
    let put = match (vector, axis) {
        (false, _) => results.one(&mut functions),
        (true, None) => results.four_times_one(&mut functions),
        (true, Some(axis)) => results.four(axis, &mut functions),
    };
    let mut source = match own {
        Some(_) => source,
        None => source.remove_buffer(&output.name),
    };
    for input in &loaded {
        source = input.put(source, &shared, &mut functions);
    }
    let buffers = extra.iter().map(|&i| slots[i].buffer(&operands[i]));
    let outside = matches!(step.kernel, Kernel::Custom(_));
    let source = put_in(source, if vector { Hook::Put4 } else { Hook::Put }, buffers, &functions, &put, outside)?;
    let binds = [&inputs[..], own_operand.as_slice(), &extra].concat();
    Composed::new(source, binds, operands)
}

/// The body of a hook, and functions that it calls.
struct Body {
    helpers: String,
    statements: String,
}

/// Adds buffers and functions, and the code of the hook. Beside code from `outside` all of them get names that it has not.
fn put_in(
    mut source: Source,
    hook: Hook,
    buffers: impl Iterator<Item = StorageBuffer>,
    functions: &Functions,
    body: &Body,
    outside: bool,
) -> Result<Source, ShaderError> {
    let buffers: Vec<StorageBuffer> = buffers.collect();
    let helpers = functions.text() + &body.helpers;
    if !outside {
        buffers.into_iter().for_each(|buffer| source.push_buffer(buffer));
        return Ok(source.set_hook(hook, &body.statements).with(&helpers));
    }
    let declared: String = buffers.iter().enumerate().map(|(number, buffer)| buffer.declaration(number)).collect();
    let code = format!("{declared}{helpers}fn put(value: f32, index: u32) {{\n{}}}\n", body.statements);
    Ok(source.replace_fn(Hook::Put.name(), &chiaro_shaders::with_prefix(&code, "chiaro_", &[Hook::Put.name()])?))
}

/// The store that goes to the shader's own output: the first that is row-major and of floats.
pub(crate) fn own_store(program: &Program) -> Option<usize> {
    let own = |s: &Store| s.dtype.is_float() && s.view.is_identity(&program.domain);
    program.stores.iter().position(own)
}

/// What is done with the results of a kernel.
struct Results<'a> {
    program: &'a Program,
    /// The store that goes to the shader's own output.
    own: Option<usize>,
    output: &'a StorageBuffer,
    /// Registers that the shader reduces.
    tails: &'a [Reg],
    slots: &'a [BindingSlot],
}

impl Results<'_> {
    /// The code for one result `value` at `index`.
    fn one(&self, functions: &mut Functions) -> Body {
        let (mut statements, own) =
            self.run(None, functions, |lanes| format!("vec4<f32>({}, 0.0, 0.0, 0.0)", lanes.lane(0)));
        if let Some(own) = own {
            let StorageBuffer { name, element, .. } = self.output;
            let _ = writeln!(statements, "    {name}[index] = {element}({});", own.lane(0));
        }
        Body { helpers: String::new(), statements }
    }

    /// The code for four neighbours along an axis of the program.
    fn four(&self, axis: usize, functions: &mut Functions) -> Body {
        let (mut statements, own) = self.run(Some(axis), functions, four);
        if let Some(own) = own {
            let StorageBuffer { name, element, .. } = self.output;
            let _ = writeln!(statements, "    {name}[index / 4u] = {element}({});", four(&own));
        }
        Body { helpers: String::new(), statements }
    }

    /// The code for four that are no neighbours in the program's domain.
    fn four_times_one(&self, functions: &mut Functions) -> Body {
        let (body, own) = self.run(None, functions, four);
        let own = own.as_ref().map_or("value", |lanes| lanes.lane(0));
        let helpers = format!("fn finished(value: f32, index: u32) -> f32 {{\n{body}    return {own};\n}}\n");
        let each = [("x", ""), ("y", " + 1u"), ("z", " + 2u"), ("w", " + 3u")];
        let each = each.map(|(lane, further)| format!("finished(value.{lane}, index{further})")).join(", ");
        let StorageBuffer { name, element, .. } = self.output;
        let target = if self.own.is_some() { format!("{name}[index / 4u]") } else { "_".into() };
        let value =
            if self.own.is_some() { format!("{element}(vec4<f32>({each}))") } else { format!("vec4<f32>({each})") };
        Body { helpers, statements: format!("    {target} = {value};\n") }
    }

    /// The program with all stores but the own, whose value comes with it, and with what is reduced as `tail` says.
    fn run(
        &self,
        lanes: Option<usize>,
        functions: &mut Functions,
        tail: impl Fn(&Lanes) -> String,
    ) -> (String, Option<Lanes>) {
        let program = self.program;
        let point = Point { parts: vec![(0..program.domain.len(), "index")], lanes, prefix: "e" };
        let value = match lanes {
            Some(_) => Lanes::Each(["value.x", "value.y", "value.z", "value.w"].map(String::from)),
            None => Lanes::Same("value".into()),
        };
        let mut emitter = Emitter::new(program, self.slots, point, functions);
        emitter.run(&[value]);
        for (i, store) in program.stores.iter().enumerate() {
            if Some(i) != self.own {
                emitter.store(store);
            }
        }
        let mut text = emitter.text.clone();
        for (r, &reg) in self.tails.iter().enumerate() {
            let _ = writeln!(text, "    tails.t{r} = {};", tail(emitter.register(reg)));
        }
        (text, self.own.map(|own| emitter.register(program.stores[own].reg).clone()))
    }
}

fn four(lanes: &Lanes) -> String {
    format!("vec4<f32>({})", [0, 1, 2, 3].map(|lane| lanes.lane(lane)).join(", "))
}
