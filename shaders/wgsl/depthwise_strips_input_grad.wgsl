// The gradient of a depthwise convolution with respect to its input, by strips of the input.

alias GradVal = vec4<f32>;

@group(0) @binding(0) var<storage, read> dy: array<GradVal>; // [N, OH, OW, O / 4]
@group(0) @binding(1) var<storage, read> w: array<WElem>; // [O, KH, KW, 1]
@group(0) @binding(2) var<storage, read_write> dx: array<OutVal>; // [N, H, W, C / 4]

// Called once for every four elements of the result; index is the place of the first.
fn put4(value: vec4<f32>, index: u32) {
    dx[index / 4u] = OutVal(value);
}

// Channels of a pixel of a row of dy, any outside.
fn pixel(row: u32, column: u32, c: u32) -> vec4<f32> {
    return vec4<f32>(dy[select(0u, (row + column) * QUADS + c, column < OUT_W)]);
}

// STRIP pixels of a row of dx from column `first` on.
fn strip_of(row: u32, first: u32, c: u32, place: u32) {
    put4(vec4<f32>(), ((row * IN_W + first) * QUADS + c) * 4u);
}
