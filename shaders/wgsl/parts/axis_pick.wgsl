// y[o, m, i] = x[o, picked(o, m, i), i]; which one is picked, a kernel says.

const ELEMENTS: u32 = OUTER * COUNT * INNER;

fn element(i: u32) {
    let outer = i / (COUNT * INNER);
    y[i] = x[(outer * AXIS + inside(picked(i))) * INNER + i % INNER];
}
