// Steps a xorshift generator `state[0]` times: a loop that no compiler can replace by a formula.
@group(0) @binding(0) var<storage, read_write> state: array<u32, 2>;

@compute @workgroup_size(1)
fn main() {
    let wanted = state[0];
    var value = state[1];
    for (var i = 0u; i < wanted; i++) {
        value ^= value << 13u;
        value ^= value >> 17u;
        value ^= value << 5u;
    }
    state[1] = value;
}
