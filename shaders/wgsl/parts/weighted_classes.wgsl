// Classes with weights, from one more buffer.

fn class_weight(c: u32) -> f32 {
    return weights[c];
}
