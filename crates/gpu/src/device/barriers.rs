//! Barriers of a subgroup on Vulkan: they order workgroup memory too. WGSL has no word for it, and naga writes `subgroupBarrier` as one that orders
//! the subgroup's own memory, which Vulkan does not have, so that by the letter a store before it need not be seen behind it.

use wgpu::naga::{Barrier, Block, Module, Statement};

/// Makes every barrier of a subgroup order workgroup memory.
pub(crate) fn order_memory(module: &mut Module) {
    let entries = module.entry_points.iter_mut().map(|entry| &mut entry.function);
    for function in module.functions.iter_mut().map(|(_, function)| function).chain(entries) {
        order(&mut function.body);
    }
}

fn order(block: &mut Block) {
    for statement in block.iter_mut() {
        match statement {
            Statement::ControlBarrier(barrier) if barrier.contains(Barrier::SUB_GROUP) => {
                *barrier |= Barrier::WORK_GROUP
            }
            Statement::Block(inner) => order(inner),
            Statement::If { accept, reject, .. } => {
                order(accept);
                order(reject);
            }
            Statement::Switch { cases, .. } => cases.iter_mut().for_each(|case| order(&mut case.body)),
            Statement::Loop { body, continuing, .. } => {
                order(body);
                order(continuing);
            }
            _ => {}
        }
    }
}
