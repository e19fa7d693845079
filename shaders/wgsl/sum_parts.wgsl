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
    var p = 0u;
    // Eight loads at once, added in order all the same.
    for (; p + 8u <= PARTS; p += 8u) {
        let at = p * ELEMENTS + i;
        let a = vec4<f32>(parts[at], parts[at + ELEMENTS], parts[at + 2u * ELEMENTS], parts[at + 3u * ELEMENTS]);
        let rest = at + 4u * ELEMENTS;
        let b = vec4<f32>(parts[rest], parts[rest + ELEMENTS], parts[rest + 2u * ELEMENTS], parts[rest + 3u * ELEMENTS]);
        sum = sum + a.x + a.y + a.z + a.w + b.x + b.y + b.z + b.w;
    }
    for (; p < PARTS; p++) {
        sum += parts[p * ELEMENTS + i];
    }
    put(sum, i);
}
