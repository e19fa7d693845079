//! The transforms around Winograd's F(4x4, 3x3): tiles of an image or of gradients and filters to 36 positions each, whose products
//! are matrix products, and sums at the positions back to results or to gradients of filters.

use std::fmt::Write;

use crate::dispatch::{elements, spread, spread_elements};
use crate::{BufferAccess, ColumnReduction, Hook, ShaderError, ShaderKernel, Source, StorageBuffer};

/// Positions of a transformed tile or filter: that many products of matrices.
pub const WINOGRAD_POSITIONS: u32 = 36;
/// Results along the edge of a tile.
const EDGE: u32 = 4;
/// Invocations of a workgroup that makes results: one a row of a tile and four channels.
const THREADS: u32 = 256;
/// Tiles that such a workgroup has room for, where tiles of one image do not ask for more, and then.
const TILES: [u32; 2] = [8, 16];

/// Tiles of 4x4 results of a convolution of stride 1, all images of the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WinogradGrid {
    /// Images.
    pub batch: u32,
    /// Height and width of the image that is read through windows of 3x3.
    pub input: [u32; 2],
    /// Zeros above and on the left of it.
    pub padding: [u32; 2],
    /// Height and width of the results.
    pub output: [u32; 2],
}

impl WinogradGrid {
    fn across(&self) -> [u32; 2] {
        self.output.map(|extent| extent.div_ceil(EDGE))
    }

    /// Tiles of an image.
    fn of_image(&self) -> u32 {
        self.across().iter().product()
    }

    /// Tiles of the batch.
    pub fn tiles(&self) -> u32 {
        self.batch * self.of_image()
    }

    /// Tiles that a workgroup that makes results has room for, and those that it has: so many that all workgroups but the last have the same
    /// number of pixels. `None` where there is no such number, because tiles reach out of large images.
    pub fn tiles_of_workgroup(&self) -> Option<[u32; 2]> {
        if self.output.iter().all(|extent| extent.is_multiple_of(EDGE)) {
            return Some([TILES[0]; 2]);
        }
        let image = self.of_image();
        let room = TILES.into_iter().find(|room| image <= *room)?;
        Some([room, room / image * image])
    }

    /// Pixels of a workgroup that makes results; 0 where there is no such number.
    pub fn rows_of_workgroup(&self) -> u32 {
        let pixels = self.output[0] * self.output[1];
        self.tiles_of_workgroup().map_or(0, |[_, tiles]| tiles * pixels / self.of_image())
    }

    /// Pixels of all results.
    pub fn rows(&self) -> u32 {
        self.batch * self.output[0] * self.output[1]
    }
}

/// The transforms of a convolution with this grid.
#[derive(Debug, Clone, Copy)]
pub struct Transforms(pub WinogradGrid);

impl Transforms {
    /// `v[36, tiles, channels]` from an image a `[N, H, W, channels]`, which may be computed as it is read. `channels` must be a multiple of 4.
    ///
    /// # Errors
    /// More elements than 32-bit indices reach.
    pub fn input(&self, channels: u32) -> Result<ShaderKernel, ShaderError> {
        self.tiled("winograd_input", channels, self.0.input, self.0.padding, None)
    }

    /// `v[36, tiles, channels]` from gradients a `[N, OH, OW, channels]` of the results, which may be kept as they are computed.
    ///
    /// # Errors
    /// As [`Transforms::input`].
    pub fn output_grad(&self, channels: u32, keeps: bool) -> Result<ShaderKernel, ShaderError> {
        let owned = keeps.then_some(0);
        self.tiled("winograd_output_grad", channels, self.0.output, [0, 0], owned)
    }

    /// `v[36, tiles, channels]` as [`Transforms::input`] makes it, and `u[36, filters, channels]` from filters w
    /// `[filters, 3, 3, channels]`, `turned` around for an input gradient. Scratch is bound in the order u, v. The image may be kept as it is
    /// computed where the results are as large and the padding is 1.
    ///
    /// # Errors
    /// As [`Transforms::input`].
    pub fn operands(
        &self,
        channels: u32,
        filters: [u32; 2],
        turned: bool,
        keeps: bool,
    ) -> Result<ShaderKernel, ShaderError> {
        let name = "winograd_operands";
        let [filters, filter_channels] = filters;
        elements(name, &[WINOGRAD_POSITIONS, filters, filter_channels])?;
        let lines = (u64::from(filters) * u64::from(filter_channels / 4)).div_ceil(8) * 48;
        let more = lines.next_multiple_of(64);
        let owned = keeps.then_some(1);
        let kernel = self.image(name, channels, self.0.input, self.0.padding, owned, more)?;
        Ok(kernel.map_source(|source| {
            source
                .set_const("TURNED", turned)
                .set_const("FILTERS", filters)
                .set_const("FILTER_CHANNELS", filter_channels)
                .scratch("u")
                .scratch("v")
        }))
    }

    fn tiled(
        &self,
        name: &'static str,
        channels: u32,
        image: [u32; 2],
        padding: [u32; 2],
        owned: Option<u32>,
    ) -> Result<ShaderKernel, ShaderError> {
        Ok(self.image(name, channels, image, padding, owned, 0)?.map_source(|source| source.scratch("v")))
    }

    /// A kernel that reads an image in tiles, a line of six positions an invocation, with `more` invocations before those. The image is kept
    /// where `owned` is the first row and column of a tile that are no other's.
    fn image(
        &self,
        name: &'static str,
        channels: u32,
        image: [u32; 2],
        padding: [u32; 2],
        owned: Option<u32>,
        more: u64,
    ) -> Result<ShaderKernel, ShaderError> {
        let grid = self.0;
        elements(name, &[grid.batch, image[0], image[1], channels])?;
        elements(name, &[WINOGRAD_POSITIONS, grid.tiles(), channels])?;
        let source = Source::new(name)
            .set_alias("AWord", "vec4<f32>")
            .set_alias("AVal", "vec4<f32>")
            .set_const("BATCH", grid.batch)
            .set_const("CHANNELS", channels)
            .set_const("IMAGE_H", image[0])
            .set_const("IMAGE_W", image[1])
            .set_const("PAD_TOP", padding[0])
            .set_const("PAD_LEFT", padding[1])
            .set_const("TILES_H", grid.across()[0])
            .set_const("TILES_W", grid.across()[1]);
        let line = if source.function("image_line").is_some() { "image_line" } else { "element" };
        let keeping = |source: Source, first: u32| {
            source.include("winograd_kept").set_const("OWN", first).append(line, "    keep_row(at);")
        };
        let source = owned.into_iter().fold(source, keeping);
        let lines = 6 * u64::from(grid.tiles()) * u64::from(channels / 4);
        Ok(ShaderKernel::new(name, source, spread_elements(name, more + lines)?))
    }

    /// `c[N, OH, OW, channels]` from sums `[36, tiles, channels]`. With `columns`, the buffer `column_parts` gets one part of
    /// [`WinogradGrid::rows_of_workgroup`] pixels from each workgroup.
    ///
    /// # Errors
    /// As [`Transforms::input`]; a grid without [`WinogradGrid::tiles_of_workgroup`].
    pub fn output(&self, channels: u32, columns: ColumnReduction) -> Result<ShaderKernel, ShaderError> {
        let (name, grid) = ("winograd_output", self.0);
        let Some([room, tiles]) = grid.tiles_of_workgroup() else {
            let reason = format!("tiles of 4x4 reach out of large images: {:?}", grid.output);
            return Err(ShaderError::Shape { kernel: name, reason });
        };
        elements(name, &[WINOGRAD_POSITIONS, grid.tiles(), channels])?;
        elements(name, &[grid.rows(), channels])?;
        let mut source = Source::new(name)
            .set_const("BATCH", grid.batch)
            .set_const("OUT_H", grid.output[0])
            .set_const("OUT_W", grid.output[1])
            .set_const("OUT_C", channels)
            .set_const("TILES_H", grid.across()[0])
            .set_const("TILES_W", grid.across()[1])
            .set_const("TILES", room)
            .set_const("USED_TILES", tiles)
            .set_const("LANES", THREADS / 4 / room)
            .scratch("sums")
            .append("main", &stores(&grid, columns));
        if columns != ColumnReduction::None {
            source = reducing(source, columns);
        }
        let workgroups = grid.tiles().div_ceil(tiles) * (channels / 4).div_ceil(THREADS / 4 / room);
        Ok(ShaderKernel::new(name, source, spread(name, workgroups.into())?))
    }
}

impl Transforms {
    /// dw `[filters, 3, 3, channels]` from sums `[parts, 36, filters, channels]`.
    ///
    /// # Errors
    /// As [`Transforms::input`].
    pub fn filter_grad(filters: u32, channels: u32, parts: u32) -> Result<ShaderKernel, ShaderError> {
        let name = "winograd_filter_grad";
        elements(name, &[parts, WINOGRAD_POSITIONS, filters, channels])?;
        let source = Source::new(name)
            .set_const("PARTS", parts)
            .set_const("CHANNELS", channels)
            .set_const("FILTERS", filters)
            .scratch("sums");
        Ok(ShaderKernel::new(name, source, spread_elements(name, 3 * u64::from(filters) * u64::from(channels / 4))?))
    }
}

/// Stores the results of a row of a tile, and reduces them.
fn stores(grid: &WinogradGrid, columns: ColumnReduction) -> String {
    let pixels = || ["a", "b", "c", "d"].into_iter().enumerate();
    let mut text = String::new();
    if columns == ColumnReduction::None {
        for (j, value) in pixels() {
            let _ = writeln!(text, "    store4(part, {j}u, results.{value});");
        }
        return text;
    }
    for (j, value) in pixels() {
        let _ = writeln!(text, "    let tails{j} = store4(part, {j}u, results.{value});");
    }
    let tail = |r: u32| format!("(tails0.t{r} + tails1.t{r}) + (tails2.t{r} + tails3.t{r})");
    if columns != ColumnReduction::Moments {
        for r in 0..columns.tails() {
            let _ = writeln!(text, "    put_columns(thread, number, {r}u, sum_of_tiles(thread, {}));", tail(r));
        }
        return text;
    }
    let (all, each) = (grid.rows(), grid.rows_of_workgroup());
    let rows = format!("min({each}u, {all}u - number / GROUPS_C * {each}u)");
    let _ = writeln!(text, "    let mean = sum_of_tiles(thread, {}) / f32({rows});", tail(0));
    let _ = writeln!(text, "    put_columns(thread, number, 0u, mean);");
    let _ = writeln!(text, "    var squares = vec4<f32>();");
    for (j, _) in pixels() {
        let _ = writeln!(text, "    let far{j} = tails{j}.t0 - mean;");
        let _ =
            writeln!(text, "    squares += select(vec4<f32>(), far{j} * far{j}, vec4<bool>(is_inside(part, {j}u)));");
    }
    let _ = writeln!(text, "    put_columns(thread, number, 1u, sum_of_tiles(thread, squares));");
    text
}

/// What the reductions of columns need beside the statements of `main`.
fn reducing(source: Source, columns: ColumnReduction) -> Source {
    let fields: String = (0..columns.tails()).map(|r| format!("t{r}: vec4<f32>, ")).collect();
    let code = format!(
        "struct Tails {{ {fields}}}
var<private> tails: Tails;
var<workgroup> down: array<vec4<f32>, {threads}>;

// Adds what the invocations of the same channels have; all of them get the sum. All of the workgroup must call it.
fn sum_of_tiles(thread: u32, value: vec4<f32>) -> vec4<f32> {{
    workgroupBarrier();
    down[thread] = value;
    for (var half = {half}u; half >= LANES; half /= 2u) {{
        workgroupBarrier();
        if (thread < half) {{
            down[thread] += down[thread + half];
        }}
    }}
    workgroupBarrier();
    return down[thread % LANES];
}}

fn put_columns(thread: u32, number: u32, result: u32, value: vec4<f32>) {{
    let four = number % GROUPS_C * LANES + thread;
    if ((thread < LANES) & (four < FOURS)) {{
        let first = (result * GROUPS_T + number / GROUPS_C) * OUT_C + four * 4u;
        column_parts[first] = value.x;
        column_parts[first + 1u] = value.y;
        column_parts[first + 2u] = value.z;
        column_parts[first + 3u] = value.w;
    }}
}}

fn store4(part: Part, j: u32, value: vec4<f32>) -> Tails {{
    if (is_inside(part, j)) {{
        put4(value, (((part.image * OUT_H + part.h) * OUT_W + part.w + j) * FOURS + part.four) * 4u);
        return tails;
    }}
    return Tails();
}}
",
        threads = THREADS,
        half = THREADS / 2,
    );
    let mut source = source.replace_fn("store4", &code);
    let mut parts = StorageBuffer::new("column_parts", BufferAccess::ReadWrite, "f32");
    parts.scratch = true;
    source.push_buffer(parts);
    let tails: String = (0..columns.tails()).map(|r| format!("    tails.t{r} = value;\n")).collect();
    source.append(Hook::Put4.name(), &tails)
}
