// Depthwise 2-D convolution, by strips.

alias XVal = vec4<f32>;

@group(0) @binding(0) var<storage, read> x: array<XVal>; // [N, H, W, C / 4]
@group(0) @binding(1) var<storage, read> w: array<WElem>; // [O, KH, KW, 1]
@group(0) @binding(2) var<storage, read_write> y: array<OutVal>; // [N, OH, OW, O / 4]

// Called once for every four elements of the result; index is the place of the first.
fn put4(value: vec4<f32>, index: u32) {
    y[index / 4u] = OutVal(value);
}

// Channels of a pixel of a row of x, 0 outside; columns left of the image wrap around to large numbers.
fn pixel(row: u32, column: u32, c: u32) -> vec4<f32> {
    let inside = column < IN_W;
    return select(vec4<f32>(), vec4<f32>(x[select(0u, (row + column) * QUADS + c, inside)]), inside);
}

// STRIP pixels of a row of y from column `first` on.
fn strip_of(row: u32, first: u32, c: u32, place: u32) {
    put4(vec4<f32>(), ((row * OUT_W + first) * QUADS + c) * 4u);
}
