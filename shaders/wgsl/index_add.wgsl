// y[o, n, i] = the sum of source[o, m, i] over the m with index[m] = n, in the order of m.

@group(0) @binding(0) var<storage, read> source: array<Elem>; // [OUTER, COUNT, INNER]
@group(0) @binding(1) var<storage, read> index: array<i32>; // [COUNT]
@group(0) @binding(2) var<storage, read_write> y: array<OutElem>; // [OUTER, AXIS, INNER]

fn goes_to(m: u32, at: u32) -> i32 {
    return index[m];
}
