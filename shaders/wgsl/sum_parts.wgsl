// y[i] = the sum over p of parts[p, i], in the order of p.

alias OutElem = f32;
const PARTS: u32 = 4u;
const ELEMENTS: u32 = 64u;

@group(0) @binding(0) var<storage, read_write> y: array<OutElem>; // [ELEMENTS]
@group(0) @binding(1) var<storage, read> parts: array<f32>; // [PARTS, ELEMENTS]

// Called once for each element of the result; index is its place there.
fn put(value: f32, index: u32) {
    y[index] = OutElem(value);
}

fn element(i: u32) {
    var sum = 0.0;
    for (var p = 0u; p < PARTS; p++) {
        sum += parts[p * ELEMENTS + i];
    }
    put(sum, i);
}
