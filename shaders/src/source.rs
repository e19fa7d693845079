//! Composition: a `.wgsl` file with named constants, aliases, functions and regions put in its place.
//! Every rewrite must match exactly once, so that a renamed constant is an error and not a silent default.

use crate::{ShaderError, registry};

/// The value of a `const` line.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ConstValue {
    /// Written as `7u`.
    U32(u32),
    /// Written as `i32(-7)`.
    I32(i32),
    /// Written with enough digits to round-trip.
    F32(f32),
    /// `true` or `false`.
    Bool(bool),
}

impl ConstValue {
    /// The WGSL literal, if the value has one.
    fn literal(&self) -> Option<String> {
        Some(match self {
            Self::U32(v) => format!("{v}u"),
            Self::I32(v) => format!("i32({v})"),
            Self::F32(v) if v.is_finite() => format!("f32({v:?})"),
            Self::F32(_) => return None,
            Self::Bool(v) => v.to_string(),
        })
    }
}

macro_rules! const_value_from {
    ($($from:ty => $variant:ident),*) => {$(
        impl From<$from> for ConstValue {
            fn from(v: $from) -> Self {
                Self::$variant(v)
            }
        }
    )*};
}
const_value_from!(u32 => U32, i32 => I32, f32 => F32, bool => Bool);

/// A shader being composed. The first error is kept and returned by [`Source::build`].
#[derive(Debug, Clone)]
pub struct Source {
    name: String,
    text: String,
    error: Option<ShaderError>,
}

impl Source {
    /// Starts from the registered shader `name` (a file name without `.wgsl`).
    pub fn new(name: &str) -> Self {
        match registry::shader(name) {
            Some(shader) => Self::from_text(name, shader.source),
            None => Self { error: Some(ShaderError::UnknownShader(name.to_owned())), ..Self::from_text(name, "") },
        }
    }

    /// Starts from any WGSL text; `name` is used in messages.
    pub fn from_text(name: &str, text: &str) -> Self {
        Self { name: name.to_owned(), text: text.to_owned(), error: None }
    }

    /// The name used in messages and for pipeline labels.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Gives the one line `const NAME[: type] = ..;` another value.
    pub fn set_const(self, name: &str, value: impl Into<ConstValue>) -> Self {
        let value = value.into();
        let Some(literal) = value.literal() else {
            let error = ShaderError::NoLiteral {
                shader: self.name.clone(),
                name: name.to_owned(),
                value: format!("{value:?}"),
            };
            return self.fail(error);
        };
        self.rewrite_line("const", name, &literal)
    }

    /// Gives the one line `alias NAME = ..;` another type.
    pub fn set_alias(self, name: &str, ty: &str) -> Self {
        self.rewrite_line("alias", name, ty)
    }

    /// Puts `code` in place of the one function `name`. The code must define that function, and may declare
    /// anything else at module scope beside it: helper functions, constants, more storage buffers.
    pub fn replace_fn(mut self, name: &str, code: &str) -> Self {
        if find_fns(code, name).is_empty() {
            let error = ShaderError::MissingFn { shader: self.name.clone(), name: name.to_owned() };
            return self.fail(error);
        }
        let found = find_fns(&self.text, name);
        match found.as_slice() {
            [range] => {
                self.text.replace_range(range.clone(), code.trim_end());
                self
            }
            _ => self.fail_not_once("fn", name, found.len()),
        }
    }

    /// Puts `code` between the lines `// region NAME` and `// end NAME`, which stay.
    pub fn replace_region(mut self, name: &str, code: &str) -> Self {
        match region_range(&self.text, name) {
            Ok(range) => {
                let mut code = code.trim_end().to_owned();
                code.push('\n');
                self.text.replace_range(range, &code);
                self
            }
            Err(found) => self.fail_not_once("region", name, found),
        }
    }

    /// The composed WGSL, with `enable f16;` first when `f16` occurs in it, or the first error met on the way.
    pub fn build(&self) -> Result<String, ShaderError> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        let code = strip_comments(&self.text);
        let uses_f16 = code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "f16");
        if uses_f16 && !code.contains("enable f16;") {
            return Ok(format!("enable f16;\n{}", self.text));
        }
        Ok(self.text.clone())
    }

    /// Makes `build` fail with this error, unless an earlier one is there.
    pub(crate) fn fail(mut self, error: ShaderError) -> Self {
        self.error.get_or_insert(error);
        self
    }

    fn fail_not_once(self, what: &'static str, name: &str, found: usize) -> Self {
        let error = ShaderError::NotOnce { shader: self.name.clone(), what, name: name.to_owned(), found };
        self.fail(error)
    }

    fn rewrite_line(mut self, keyword: &'static str, name: &str, value: &str) -> Self {
        let matches: Vec<usize> =
            self.text.lines().enumerate().filter(|(_, line)| declares(line, keyword, name)).map(|(i, _)| i).collect();
        let [at] = matches[..] else {
            return self.fail_not_once(keyword, name, matches.len());
        };
        let mut lines: Vec<String> = self.text.lines().map(str::to_owned).collect();
        if let Some((head, _)) = lines[at].split_once('=') {
            lines[at] = format!("{head}= {value};");
        }
        self.text = lines.join("\n");
        self.text.push('\n');
        self
    }
}

/// Whether the line is `keyword name[: type] = value;` at module scope, on one line.
fn declares(line: &str, keyword: &str, name: &str) -> bool {
    let Some(rest) = line.strip_prefix(keyword) else {
        return false;
    };
    let Some(rest) = rest.strip_prefix(' ').and_then(|r| r.strip_prefix(name)) else {
        return false;
    };
    rest.trim_start().starts_with([':', '=']) && rest.contains('=') && line.contains(';')
}

/// The same text with `//` comments blanked out, byte for byte, so that positions still agree.
fn strip_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match line.find("//") {
            Some(at) => {
                out.push_str(&line[..at]);
                out.extend(line[at..].bytes().map(|b| if b == b'\n' { '\n' } else { ' ' }));
            }
            None => out.push_str(line),
        }
    }
    out
}

/// Where the functions of this name stand, from `fn` to the closing brace.
fn find_fns(text: &str, name: &str) -> Vec<std::ops::Range<usize>> {
    let code = strip_comments(text);
    let head = format!("fn {name}(");
    let mut found = Vec::new();
    for (start, _) in code.match_indices(&head) {
        let at_line_start = start == 0 || code.as_bytes()[start - 1] == b'\n';
        let mut depth = 0usize;
        let end = code[start..].char_indices().find_map(|(i, c)| {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => return None,
            }
            (c == '}' && depth == 0).then_some(start + i + 1)
        });
        if let (true, Some(end)) = (at_line_start, end) {
            found.push(start..end);
        }
    }
    found
}

/// The text between the marks of a region, or how often the pair of marks was found.
fn region_range(text: &str, name: &str) -> Result<std::ops::Range<usize>, usize> {
    let (open, close) = (format!("// region {name}"), format!("// end {name}"));
    let (mut opens, mut closes) = (Vec::new(), Vec::new());
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.trim() == open {
            opens.push(at + line.len());
        } else if line.trim() == close {
            closes.push(at);
        }
        at += line.len();
    }
    match (&opens[..], &closes[..]) {
        ([start], [end]) if start <= end => Ok(*start..*end),
        _ => Err(opens.len().max(closes.len())),
    }
}

/// The text between the marks of a region of a WGSL source, or `None` unless it stands there exactly once.
#[cfg(test)]
pub(crate) fn region<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    region_range(text, name).ok().map(|range| &text[range])
}
