// y[o, m, i] = x[o, index[m], i].

@group(0) @binding(0) var<storage, read> x: array<Elem>; // [OUTER, AXIS, INNER]
@group(0) @binding(1) var<storage, read> index: array<i32>; // [COUNT]
@group(0) @binding(2) var<storage, read_write> y: array<Elem>; // [OUTER, COUNT, INNER]

fn picked(i: u32) -> i32 {
    return index[i / INNER % COUNT];
}
