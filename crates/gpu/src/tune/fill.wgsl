// Made-up values of an operand.

@group(0) @binding(1) var<storage, read_write> made: array<u32>;

// Follows no pattern that a kernel could hide an error in.
fn hash(i: u32) -> u32 {
    let start = (i * 0x9e3779b9u) ^ (task.seed * 0x85ebca6bu);
    let mixed = (start ^ (start >> 15u)) * 0x2c1b3c6du;
    return ((mixed ^ (mixed >> 12u)) * 0x297a2d39u) >> 8u;
}

// Between -1 and 1.
fn unit(i: u32) -> f32 {
    return f32(hash(i)) / 8388608.0 - 1.0;
}

@compute @workgroup_size(64)
fn fill(@builtin(global_invocation_id) id: vec3<u32>) {
    for (var i = id.x; i < words(); i += task.stride) {
        if (KIND == 0u) {
            made[i] = bitcast<u32>(unit(i));
        } else if (KIND == 1u) {
            let second = select(0.0, unit(2u * i + 1u), 2u * i + 1u < task.length);
            made[i] = pack2x16float(vec2<f32>(unit(2u * i), second));
        } else {
            made[i] = hash(i) & 1u;
        }
    }
}
