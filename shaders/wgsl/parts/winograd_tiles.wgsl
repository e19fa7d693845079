// The tiles that an image [N, IMAGE_H, IMAGE_W, CHANNELS] is read in: tile t begins at pixel (4 * row - PAD_TOP, 4 * column - PAD_LEFT).

alias AWord = vec4<f32>;
alias AVal = vec4<f32>;
const BATCH: u32 = 1u;
const CHANNELS: u32 = 4u;
const IMAGE_H: u32 = 4u;
const IMAGE_W: u32 = 4u;
const PAD_TOP: u32 = 1u;
const PAD_LEFT: u32 = 1u;
const TILES_H: u32 = 1u;
const TILES_W: u32 = 1u;
// Fours of channels of all tiles, and lines of their positions.
const COUNT: u32 = BATCH * TILES_H * TILES_W * (CHANNELS / 4u);
const LINES: u32 = 6u * COUNT;

@group(0) @binding(0) var<storage, read> a: array<AWord>;
@group(0) @binding(1) var<storage, read_write> v: array<vec4<f32>>; // [36, tiles, CHANNELS]

// What lies at a word of `a`; an input that is computed as it is read has other code here.
fn a_load(word: u32) -> AVal {
    return AVal(a[word]);
}

// The line of an invocation and the element that it belongs to, and where the tile is read: its image with its four of channels, and its
// first pixel, which wraps around to large numbers outside.
struct Place { line: u32, element: u32, image: u32, h: u32, w: u32 }

fn place(i: u32) -> Place {
    let fours = CHANNELS / 4u;
    let line = i / fours % 6u;
    let element = i / (6u * fours) * fours + i % fours;
    let tile = element / (CHANNELS / 4u);
    let image = tile / (TILES_H * TILES_W) * (IMAGE_H * IMAGE_W * (CHANNELS / 4u)) + element % (CHANNELS / 4u);
    return Place(line, element, image, tile / TILES_W % TILES_H * 4u - PAD_TOP, tile % TILES_W * 4u - PAD_LEFT);
}

// Zero outside of the image.
fn pixel(at: Place, i: u32, j: u32) -> vec4<f32> {
    let h = at.h + i;
    let w = at.w + j;
    let inside = (h < IMAGE_H) & (w < IMAGE_W);
    return select(vec4<f32>(), a_load(select(0u, at.image + (h * IMAGE_W + w) * (CHANNELS / 4u), inside)), inside);
}

// Stores the six positions of line i of element `at`.
fn put_line(i: u32, at: u32, line: Six) {
    let first = 6u * i * COUNT + at;
    v[first] = line.a;
    v[first + COUNT] = line.b;
    v[first + 2u * COUNT] = line.c;
    v[first + 3u * COUNT] = line.d;
    v[first + 4u * COUNT] = line.e;
    v[first + 5u * COUNT] = line.f;
}
