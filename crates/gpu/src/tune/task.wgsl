// What the kernels of a search have in common: the elements of one operand.

// 0: f32, 1: f16 in pairs, 2: words.
override KIND: u32 = 0u;

struct Task {
    // Elements, of the type that KIND says.
    length: u32,
    seed: u32,
    // Invocations of the dispatch.
    stride: u32,
    padding: u32,
}

@group(0) @binding(0) var<uniform> task: Task;

fn words() -> u32 {
    return select(task.length, (task.length + 1u) / 2u, KIND == 1u);
}
