//! Ops from outside: their WGSL for one element, with the declarations and the entry point around it.

use chiaro_graph::DType;
use chiaro_graph::plan::{CustomCall, Step};
use chiaro_shaders::{ShaderError, Source, dispatch};

use super::{Dispatch, composed, output_elem};

/// Storage arrays of the operands and of the result, the op's own code, and an invocation for each element.
pub(super) fn dispatches(step: &Step, call: &CustomCall) -> Result<Vec<Dispatch>, ShaderError> {
    let name = call.op.name();
    let count = call.result.len();
    if count > i32::MAX as usize {
        let reason = format!("a result of {:?} has more elements than 32-bit indices reach", call.result.shape);
        return Err(ShaderError::Shape { kernel: name, reason });
    }
    let mut text = String::new();
    for (number, (operand, of)) in call.op.operands().iter().zip(&call.operands).enumerate() {
        text += &binding(number, "read", operand, stored(of.dtype));
    }
    let float = call.result.dtype.is_float();
    let (out, value) = match float {
        true => (output_elem(step).wgsl(), "epilogue(element(index), index)"),
        false => (stored(call.result.dtype), "element(index)"),
    };
    text += &binding(call.operands.len(), "read_write", "result", out);
    if float {
        text += "fn epilogue(value: f32, index: u32) -> f32 {\n    return value;\n}\n";
    }
    text += &call.op.wgsl(&call.operands, &call.result);
    text += &entry(count, out, value);
    let workgroups = dispatch::spread_elements(name, count as u64)?;
    let kernel = chiaro_shaders::Kernel { name, source: Source::from_text(name, &text), workgroups };
    Ok(vec![composed(step, kernel)?])
}

fn binding(number: usize, access: &str, name: &str, element: &str) -> String {
    format!("@group(0) @binding({number}) var<storage, {access}> {name}: array<{element}>;\n")
}

/// How an element type lies in memory.
fn stored(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "f32",
        DType::F16 => "f16",
        DType::I32 => "i32",
        DType::U32 | DType::Bool => "u32",
    }
}

fn entry(count: usize, out: &str, value: &str) -> String {
    let workgroup = dispatch::ELEMENT_WORKGROUP;
    format!(
        "
@compute @workgroup_size({workgroup})
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {{
    let index = (group.x + group.y * groups.x) * {workgroup}u + thread;
    if (index >= {count}u) {{
        return;
    }}
    result[index] = {out}({value});
}}
"
    )
}
