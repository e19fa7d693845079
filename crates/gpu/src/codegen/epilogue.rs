//! Epilogues: the code that finishes the results of a kernel from a `.wgsl` file, and the bindings that it brings along.

use std::fmt::Write;

use chiaro_graph::plan::{Kernel, Operand, Program, Reg, Step, Store};
use chiaro_shaders::kernels::SUMMED_PARTS;
use chiaro_shaders::{COLUMN_PARTS, ShaderError, Source};

use super::binding::{Composed, DeclaredBuffer, declare_access};
use super::emit::{Emitter, Lanes, Point};
use super::functions::Functions;
use super::loads::InputCode;
use super::{Slot, slots, used, writable};

/// Composes a shader whose bindings are the kernel's `inputs` and then one output, which it assigns on lines of the form
/// `name[..] = T(epilogue(value, index));` (or `epilogue4` for four neighbours). The program stores the results; its first
/// store that is row-major and of floats becomes the shader's own output. A shader made to reduce `columns` gets their registers.
///
/// # Errors
/// Those of the composition, and [`ShaderError::Invalid`] for a shader that does not keep to this form.
pub(crate) fn with_epilogue(source: Source, step: &Step) -> Result<Composed, ShaderError> {
    let Step { program, inputs, operands, .. } = step;
    let mut binds = inputs.clone();
    let tails: Vec<Reg> = step.columns.iter().flat_map(|c| &c.results).map(|r| r.0).collect();
    let computed = step.loads.iter().any(Option::is_some);
    if program.is_plain() && tails.len() <= 1 && !computed {
        binds.push(program.stores[0].operand);
        let text = declare_access(&source.build()?, &binds, operands)?;
        return Ok(Composed { text, binds });
    }
    let own = own_store(program);
    let output = DeclaredBuffer::find(source.text(), inputs.len())?;
    let vector = output.is_vector(source.text());
    let axis = program.domain.len().checked_sub(1).filter(|&a| vector && program.domain[a].is_multiple_of(4));
    let inputs_read = InputCode::of(step, source.text())?;
    let mut uses = vec![(program, axis)];
    uses.extend(inputs_read.iter().map(|i| (&i.load.program, i.lanes)));
    let mut slots = slots(operands, &uses);
    let shared = slots.clone();
    if let Some(own) = own {
        let slot = &mut slots[program.stores[own].operand];
        slot.name = output.name.clone();
        slot.width = if vector { 4 } else { 1 };
        binds.push(program.stores[own].operand);
    }
    let first_extra = binds.len();
    let own_operand = own.map(|o| program.stores[o].operand);
    let in_inputs = |i: usize| inputs_read.iter().any(|input| input.needs(i));
    let extra = |&i: &usize| used(&[program], i) && Some(i) != own_operand || in_inputs(i);
    binds.extend((0..operands.len()).filter(extra));
    if vector && axis.is_none() && !tails.is_empty() {
        return Err(ShaderError::Invalid("columns of a program whose last axis is not the output's".into()));
    }
    let mut functions = Functions::default();
    let ending = Ending { program, own, tails: &tails, slots: &slots };
    let scalar = ending.function(None, &mut functions);
    let four = axis.map(|_| ending.function(axis, &mut functions));
    let mut code = String::new();
    for (binding, &i) in binds.iter().enumerate().skip(first_extra) {
        code += &slots[i].declaration(binding, writable(&operands[i]));
    }
    let mut source = source;
    for input in &inputs_read {
        source = input.put(source, &shared, &mut functions);
    }
    let mut generated = code + &functions.text() + &scalar;
    if matches!(step.kernel, Kernel::Custom(_)) {
        generated = apart(&generated);
    }
    let mut source = source.replace_fn("epilogue", &generated);
    if let Some(four) = four {
        source = source.replace_fn("epilogue4", &four);
    }
    let mut text = source.build()?;
    if own.is_none() {
        text = without_output(&text, &output);
    }
    // Scratch is bound behind all operands.
    for (line, number) in [(COLUMN_PARTS, "binding(3)"), (SUMMED_PARTS, "binding(1)")] {
        text = text.replace(line, &line.replace(number, &format!("binding({})", binds.len())));
    }
    let text = declare_access(&text, &binds[..first_extra], operands)?;
    Ok(Composed { text, binds })
}

/// The text of a shader that needs no epilogue, its first buffers declared with the access that these operands ask for.
///
/// # Errors
/// As [`with_epilogue`].
pub(crate) fn with_access(source: Source, binds: &[usize], operands: &[Operand]) -> Result<String, ShaderError> {
    declare_access(&source.build()?, binds, operands)
}

/// Generated code whose functions and buffers have names that no code from outside has.
fn apart(code: &str) -> String {
    let declared = |line: &str| {
        let name = match line.split_once("var<") {
            Some((_, rest)) => rest.split_once("> ").map(|(_, name)| name),
            None => ["fn ", "const ", "alias ", "struct "].iter().find_map(|word| line.strip_prefix(word)),
        };
        name.map(|name| name.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default().to_string())
    };
    let names: Vec<String> = code.lines().filter_map(declared).filter(|name| name != "epilogue").collect();
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphabetic()) {
        let end = rest[start..].find(|c: char| !c.is_alphanumeric() && c != '_').map_or(rest.len(), |end| start + end);
        out.push_str(&rest[..start]);
        if names.iter().any(|name| *name == rest[start..end]) {
            out.push_str("chiaro_");
        }
        out.push_str(&rest[start..end]);
        rest = &rest[end..];
    }
    out + rest
}

/// The store that the shader itself does: the first that is row-major and of floats.
pub(crate) fn own_store(program: &Program) -> Option<usize> {
    let own = |s: &Store| s.dtype.is_float() && s.view.is_identity(&program.domain);
    program.stores.iter().position(own)
}

/// What the functions of an epilogue do.
struct Ending<'a> {
    program: &'a Program,
    /// The store that the shader itself does.
    own: Option<usize>,
    /// Registers that the shader reduces.
    tails: &'a [Reg],
    slots: &'a [Slot],
}

impl Ending<'_> {
    /// `epilogue`, or with lanes `epilogue4`: all stores but the shader's own, whose value is returned.
    fn function(&self, lanes: Option<usize>, functions: &mut Functions) -> String {
        let program = self.program;
        let rank = program.domain.len();
        let point = Point { parts: vec![(0..rank, "index")], lanes, prefix: "e" };
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
        let four = |reg: Reg| {
            let lanes = emitter.register(reg);
            format!("vec4<f32>({}, {}, {}, {})", lanes.lane(0), lanes.lane(1), lanes.lane(2), lanes.lane(3))
        };
        let mut body = emitter.text.clone();
        for (r, &reg) in self.tails.iter().enumerate() {
            let value = match lanes {
                Some(_) => four(reg),
                None => format!("vec4<f32>({}, 0.0, 0.0, 0.0)", emitter.register(reg).lane(0)),
            };
            let _ = writeln!(body, "    tails.t{r} = {value};");
        }
        let result = match (self.own, lanes) {
            (None, _) => "value".to_string(),
            (Some(own), None) => emitter.register(program.stores[own].reg).lane(0).to_string(),
            (Some(own), Some(_)) => four(program.stores[own].reg),
        };
        let (name, ty) = if lanes.is_some() { ("epilogue4", "vec4<f32>") } else { ("epilogue", "f32") };
        format!("fn {name}(value: {ty}, index: u32) -> {ty} {{\n{body}    return {result};\n}}\n")
    }
}

/// The text without an output buffer: what was stored there is only evaluated.
fn without_output(text: &str, output: &DeclaredBuffer) -> String {
    let head = format!("{}[", output.name);
    let mut out = String::with_capacity(text.len());
    for line in text.lines().filter(|l| *l != output.line) {
        let _ = match line.trim_start().starts_with(&head).then(|| line.split_once(" = ")).flatten() {
            Some((_, value)) => writeln!(out, "_ = {value}"),
            None => writeln!(out, "{line}"),
        };
    }
    out
}
