// Where the first largest (or smallest) element along an axis lies; the first NaN comes before every number.

// In which elements are compared.
alias Value = f32;
const SMALLEST: bool = false;

@group(0) @binding(0) var<storage, read> x: array<Elem>; // [OUTER, AXIS, INNER]
@group(0) @binding(1) var<storage, read_write> y: array<i32>; // [OUTER, INNER]

// Looks at the bits: compilers may assume that no value is a NaN.
fn is_nan(v: Value) -> bool {
    return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

const ELEMENTS: u32 = OUTER * INNER;

fn element(i: u32) {
    let first = i / INNER * AXIS * INNER + i % INNER;
    var best = Value(x[first]);
    var at = 0u;
    for (var k = 1u; k < AXIS; k++) {
        let v = Value(x[first + k * INNER]);
        let better = select(v > best, v < best, SMALLEST);
        if ((better | is_nan(v)) & !is_nan(best)) {
            best = v;
            at = k;
        }
    }
    y[i] = i32(at);
}
