//! Ops from outside: their WGSL for one element, with the declarations and the entry point around it.

use chiaro_graph::DType;
use chiaro_graph::plan::{CustomCall, Step};
use chiaro_shaders::{BufferAccess, ShaderError, Source, StorageBuffer, dispatch};

use super::{Dispatch, composed, output_elem};

/// Storage arrays of the operands and of the result, the op's own code, and an invocation for each element.
pub(super) fn dispatches(step: &Step, call: &CustomCall) -> Result<Vec<Dispatch>, ShaderError> {
    let name = call.op.name();
    let count = call.result.len();
    if count > i32::MAX as usize {
        let reason = format!("a result of {:?} has more elements than 32-bit indices reach", call.result.shape);
        return Err(ShaderError::Shape { kernel: name, reason });
    }
    let operands = call.op.operands().into_iter().zip(&call.operands);
    let mut buffers: Vec<StorageBuffer> =
        operands.map(|(name, of)| StorageBuffer::new(name, BufferAccess::Read, stored(of.dtype))).collect();
    let (out, put) = match call.result.dtype.is_float() {
        true => (output_elem(step).wgsl(), "put(element(index), index)"),
        false => (stored(call.result.dtype), "result[index] = element(index)"),
    };
    buffers.push(StorageBuffer::new("result", BufferAccess::ReadWrite, out));
    let mut text = entry(count, put);
    if call.result.dtype.is_float() {
        text += &format!("fn put(value: f32, index: u32) {{\n    result[index] = {out}(value);\n}}\n");
    }
    text += &call.op.wgsl(&call.operands, &call.result);
    let workgroups = dispatch::spread_elements(name, count as u64)?;
    let kernel = chiaro_shaders::ShaderKernel { name, source: Source::of_code(name, buffers, &text), workgroups };
    Ok(vec![composed(step, kernel)?])
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

fn entry(count: usize, put: &str) -> String {
    let workgroup = dispatch::ELEMENT_WORKGROUP;
    format!(
        "@compute @workgroup_size({workgroup})
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {{
    let index = (group.x + group.y * groups.x) * {workgroup}u + thread;
    if (index >= {count}u) {{
        return;
    }}
    {put};
}}
"
    )
}
