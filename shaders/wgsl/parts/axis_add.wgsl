// y[o, n, i] = the sum of source[o, m, i] over the m that go to n, in the order of m; where one goes, a kernel says.
// Each invocation looks at every index for one element: no atomics, and the same bits every run.

alias OutElem = f32;
const ELEMENTS: u32 = OUTER * AXIS * INNER;

fn element(i: u32) {
    let n = i / INNER % AXIS;
    let first = i / (AXIS * INNER) * COUNT * INNER + i % INNER;
    var sum = 0.0;
    for (var m = 0u; m < COUNT; m++) {
        let at = first + m * INNER;
        if (inside(goes_to(m, at)) == n) {
            sum += f32(source[at]);
        }
    }
    y[i] = OutElem(sum);
}
