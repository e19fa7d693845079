//! The code of a strip of a depthwise convolution, written out.

use std::fmt::Write;

use super::Conv2d;

impl Conv2d {
    pub(super) fn forward_code(&self, pixels: u32, width: u32) -> String {
        let mut reads = String::new();
        for column in self.columns_read(pixels) {
            let _ = writeln!(reads, "            let x{column} = pixel(line, left + {column}u, c);");
        }
        for kw in 0..self.kernel[1] {
            reads += &read_weight(kw);
            for p in 0..pixels {
                let column = p * self.stride[1] + kw * self.dilation[1];
                let _ = writeln!(reads, "            sum{p} = fma(x{column}, w{kw}, sum{p});");
            }
        }
        format!(
            "fn strip_of(row: u32, first: u32, c: u32, place: u32) {{\n{}    \
             let image = row / OUT_H * IN_H;\n    \
             // Rows above the image wrap around to large numbers.\n    \
             let top = row % OUT_H * STRIDE_H - PAD_TOP;\n    \
             let left = first * STRIDE_W - PAD_LEFT;\n    \
             for (var kh = 0u; kh < KERNEL_H; kh++) {{\n        \
             let h = top + kh * DILATION_H;\n        \
             if (h < IN_H) {{\n            \
             let line = (image + h) * IN_W;\n{reads}        }}\n    }}\n{}}}\n",
            sums(pixels),
            puts(pixels, width, "OUT_W"),
        )
    }

    pub(super) fn input_grad_code(&self, pixels: u32, width: u32) -> String {
        let columns = self.columns_behind(pixels);
        let mut reads = String::new();
        for (i, column) in columns.iter().enumerate() {
            let sign = if *column < 0 { '-' } else { '+' };
            let _ = writeln!(reads, "            let v{i} = middle {sign} {}u;", column.unsigned_abs());
            let _ = writeln!(reads, "            let g{i} = pixel(line, v{i}, c);");
        }
        reads.extend((0..self.kernel[1]).map(read_weight));
        for (i, column) in columns.iter().enumerate() {
            let _ = writeln!(reads, "            if (v{i} < OUT_W) {{");
            for p in 0..pixels {
                for kw in (0..self.kernel[1]).filter(|&kw| self.column_behind(p, kw) == Some(*column)) {
                    let _ = writeln!(reads, "                sum{p} = fma(g{i}, w{kw}, sum{p});");
                }
            }
            reads += "            }\n";
        }
        format!(
            "fn strip_of(row: u32, first: u32, c: u32, place: u32) {{\n{}    \
             let image = row / IN_H * OUT_H;\n    \
             let bottom = row % IN_H + PAD_TOP;\n    \
             let middle = first / STRIDE_W;\n    \
             for (var kh = 0u; kh < KERNEL_H; kh++) {{\n        \
             // Rows and columns before the first wrap around to large numbers.\n        \
             let h = bottom - kh * DILATION_H;\n        \
             if ((h % STRIDE_H == 0u) & (h / STRIDE_H < OUT_H)) {{\n            \
             let line = (image + h / STRIDE_H) * OUT_W;\n{reads}        }}\n    }}\n{}}}\n",
            sums(pixels),
            puts(pixels, width, "IN_W"),
        )
    }

    pub(super) fn weight_grad_code(&self, pixels: u32, share: u32, width: u32) -> String {
        let sums = || (0..share).flat_map(|r| (0..self.kernel[1]).map(move |kw| (r, kw)));
        let (short, mut declared, mut body) = (!width.is_multiple_of(pixels), String::new(), String::new());
        for (r, kw) in sums() {
            let _ = writeln!(declared, "    var sum{r}_{kw} = vec4<f32>();");
        }
        for p in 0..pixels {
            let column = if short { format!("min(first + {p}u, OUT_W - 1u)") } else { format!("first + {p}u") };
            let _ = writeln!(body, "            let g{p} = gradient(row, {column}, c);");
        }
        for r in 0..share {
            let _ = writeln!(body, "            let h{r} = top + (share + {r}u) * DILATION_H;");
            let _ =
                writeln!(body, "            if (h{r} < IN_H) {{\n                let line = (image + h{r}) * IN_W;");
            for column in self.columns_read(pixels) {
                let _ = writeln!(body, "                let x{column} = pixel(line, left + {column}u, c);");
            }
            for p in 0..pixels {
                let (open, close) =
                    if short { (format!("if (first + {p}u < OUT_W) {{ "), " }") } else { (String::new(), "") };
                for kw in 0..self.kernel[1] {
                    let column = p * self.stride[1] + kw * self.dilation[1];
                    let add = format!("sum{r}_{kw} = fma(x{column}, g{p}, sum{r}_{kw});");
                    let _ = writeln!(body, "                {open}{add}{close}");
                }
            }
            body += "            }\n";
        }
        let mut end = String::new();
        for r in 0..share {
            for kw in 0..self.kernel[1] {
                let _ = writeln!(end, "    sums[{kw}u * THREADS + thread] = sum{r}_{kw};");
            }
            let _ = writeln!(end, "    finish(part, block, share + {r}u, thread);");
        }
        format!(
            "fn sum_of(part: u32, block: u32, share: u32, thread: u32) {{\n    \
             let c = block * BLOCK + thread % BLOCK;\n{declared}    \
             if ((c < QUADS) & (part < PARTS)) {{\n        \
             for (var strip = part * CHUNK + thread / BLOCK; strip < min((part + 1u) * CHUNK, COUNT); strip += LANES) {{\n            \
             let row = strip / STRIPS;\n            \
             let first = strip % STRIPS * STRIP;\n            \
             let image = row / OUT_H * IN_H;\n            \
             // Rows above the image wrap around to large numbers.\n            \
             let top = row % OUT_H * STRIDE_H - PAD_TOP;\n            \
             let left = first * STRIDE_W - PAD_LEFT;\n{body}        }}\n    }}\n{end}}}\n"
        )
    }
}

fn sums(pixels: u32) -> String {
    (0..pixels).map(|p| format!("    var sum{p} = vec4<f32>();\n")).collect()
}

fn read_weight(kw: u32) -> String {
    format!("            let w{kw} = weights[(kh * KERNEL_W + {kw}u) * BLOCK + place];\n")
}

/// Stores the pixels of a strip, those beyond the row's end not.
fn puts(pixels: u32, width: u32, name: &str) -> String {
    let mut text = format!("    let at = ((row * {name} + first) * QUADS + c) * 4u;\n");
    for p in 0..pixels {
        let put = format!("put4(sum{p}, at + {p}u * 4u * QUADS);");
        let _ = match p > 0 && !width.is_multiple_of(pixels) {
            true => writeln!(text, "    if (first + {p}u < {name}) {{\n        {put}\n    }}"),
            false => writeln!(text, "    {put}"),
        };
    }
    text
}
