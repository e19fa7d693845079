//! prost's derives written out, so that who builds Chiaro needs neither the procedural macro nor the larger `syn` that it asks for.

use std::fmt::Write;

const ENCODING: &str = "::prost::encoding";

/// A field of a message, or a variant of a oneof.
struct Field {
    /// Name as Rust has it.
    name: String,
    /// Rust's type.
    rust: String,
    /// Module of `prost::encoding`: `int64`, `string`, `message`, ...
    coder: String,
    /// Type of an enumeration's getter.
    enumeration: Option<String>,
    repeated: bool,
    packed: bool,
    /// Path of the type, where the field is a oneof.
    oneof: Option<String>,
    tags: Vec<u32>,
}

/// The text between quotes behind `key = `.
fn quoted<'t>(attribute: &'t str, key: &str) -> Option<&'t str> {
    let rest = attribute.split_once(&format!("{key} = \""))?.1;
    rest.split_once('"').map(|(text, _)| text)
}

impl Field {
    fn of(attribute: &str, declared: &str) -> Field {
        let inner = attribute.trim().trim_start_matches("#[prost(").trim_end_matches(")]");
        let first = inner.split([',', ' ', '=']).next().unwrap_or_default();
        let enumeration = quoted(inner, "enumeration").map(str::to_string);
        let coder = if enumeration.is_some() { "int32" } else { first }.to_string();
        let declared = declared.trim().trim_end_matches(',').trim_start_matches("pub ");
        let (name, rust) = declared.split_once(": ").unwrap_or((declared.split('(').next().unwrap_or_default(), ""));
        let tags = quoted(inner, "tags").or(quoted(inner, "tag")).unwrap_or_default();
        let numeric = !["string", "bytes", "message"].contains(&coder.as_str());
        Field {
            name: name.to_string(),
            rust: rust.to_string(),
            enumeration,
            repeated: inner.contains(" repeated"),
            packed: numeric && !inner.contains("packed = \"false\""),
            oneof: quoted(inner, "oneof").map(str::to_string),
            tags: tags.split(", ").filter_map(|t| t.parse().ok()).collect(),
            coder,
        }
    }

    fn tag(&self) -> u32 {
        self.tags.first().copied().unwrap_or_default()
    }

    /// The module's functions.
    fn call(&self, function: &str) -> String {
        format!("{ENCODING}::{}::{function}", self.coder)
    }

    /// `encode` or `encoded_len` of a repeated field.
    fn all(&self, function: &str) -> String {
        self.call(&format!("{function}_{}", if self.packed { "packed" } else { "repeated" }))
    }
}

/// Replaces prost's derives in the source that prost-build makes.
pub fn expand(source: &str) -> String {
    let mut out = String::new();
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        let derived =
            ["Message", "Oneof", "Enumeration"].into_iter().find(|d| line.contains(&format!("::prost::{d})]")));
        let Some(derived) = derived else {
            out += line;
            out.push('\n');
            continue;
        };
        let kept = match derived {
            "Message" => "Debug, Default)]",
            "Oneof" => "Debug)]",
            _ => ")]",
        };
        out += &line.replace(&format!("::prost::{derived})]"), kept).replace(", )]", ")]");
        out.push('\n');
        let mut block = vec![];
        for inner in lines.by_ref() {
            block.push(inner);
            if inner.trim() == "}" || inner.ends_with("{}") {
                break;
            }
        }
        for inner in block.iter().filter(|l| !l.trim().starts_with("#[prost(")) {
            out += inner;
            out.push('\n');
        }
        let header = block.iter().find(|l| l.contains("pub struct ") || l.contains("pub enum ")).copied().unwrap_or("");
        let name = header.split_whitespace().nth(2).unwrap_or_default().trim_end_matches("{}");
        out += &match derived {
            "Message" => message(name, &fields(&block)),
            "Oneof" => oneof(name, &fields(&block)),
            _ => enumeration(name, &block),
        };
    }
    out
}

/// Fields by their attributes and the declarations behind these.
fn fields(block: &[&str]) -> Vec<Field> {
    let mut fields: Vec<Field> = block
        .windows(2)
        .filter(|pair| pair[0].trim().starts_with("#[prost("))
        .map(|pair| Field::of(pair[0], pair[1]))
        .collect();
    fields.sort_by_key(Field::tag);
    fields
}

fn message(name: &str, fields: &[Field]) -> String {
    let (mut encode, mut merge, mut length) = (String::new(), String::new(), String::from("0"));
    for f in fields {
        let (field, tag) = (&f.name, f.tag());
        if let Some(path) = &f.oneof {
            let tags: Vec<String> = f.tags.iter().map(u32::to_string).collect();
            let _ = write!(encode, "if let Some(value) = &self.{field} {{ value.encode(buf); }}");
            let _ =
                write!(merge, "{} => {path}::merge(&mut self.{field}, tag, wire_type, buf, ctx),", tags.join(" | "));
            let _ = write!(length, "+ self.{field}.as_ref().map_or(0, {path}::encoded_len)");
        } else if f.repeated {
            let _ = write!(encode, "{}({tag}, &self.{field}, buf);", f.all("encode"));
            let _ = write!(merge, "{tag} => {}(wire_type, &mut self.{field}, buf, ctx),", f.call("merge_repeated"));
            let _ = write!(length, "+ {}({tag}, &self.{field})", f.all("encoded_len"));
        } else {
            let _ = write!(encode, "if let Some(value) = &self.{field} {{ {}({tag}, value, buf); }}", f.call("encode"));
            let _ = write!(
                merge,
                "{tag} => {}(wire_type, self.{field}.get_or_insert_with(Default::default), buf, ctx),",
                f.call("merge")
            );
            let _ =
                write!(length, "+ self.{field}.as_ref().map_or(0, |value| {}({tag}, value))", f.call("encoded_len"));
        }
    }
    format!(
        "impl ::prost::Message for {name} {{
fn encode_raw(&self, buf: &mut impl ::prost::bytes::BufMut) {{ {encode} }}
fn merge_field(&mut self, tag: u32, wire_type: {ENCODING}::wire_type::WireType, buf: &mut impl ::prost::bytes::Buf,
ctx: {ENCODING}::DecodeContext) -> Result<(), ::prost::DecodeError> {{
match tag {{ {merge} _ => {ENCODING}::skip_field(wire_type, tag, buf, ctx), }} }}
fn encoded_len(&self) -> usize {{ {length} }}
fn clear(&mut self) {{ *self = Self::default(); }}
}}
impl {name} {{ {} }}
",
        fields.iter().filter_map(getter).collect::<String>()
    )
}

/// The value of an optional field, or its type's zero.
fn getter(f: &Field) -> Option<String> {
    let inner = f.rust.strip_prefix("::core::option::Option<")?.strip_suffix('>')?;
    let name = &f.name;
    if f.oneof.is_some() || f.coder == "message" {
        return None;
    }
    Some(match (&f.enumeration, f.coder.as_str()) {
        (Some(path), _) => format!(
            "pub fn {name}(&self) -> {path} {{
self.{name}.and_then(|value| {path}::try_from(value).ok()).unwrap_or_default() }}"
        ),
        (None, "string") => format!("pub fn {name}(&self) -> &str {{ self.{name}.as_deref().unwrap_or_default() }}"),
        (None, "bytes") => format!("pub fn {name}(&self) -> &[u8] {{ self.{name}.as_deref().unwrap_or_default() }}"),
        (None, _) => format!("pub fn {name}(&self) -> {inner} {{ self.{name}.unwrap_or_default() }}"),
    })
}

fn oneof(name: &str, fields: &[Field]) -> String {
    let (mut encode, mut merge, mut length) = (String::new(), String::new(), String::new());
    for f in fields {
        let (variant, tag) = (&f.name, f.tag());
        let _ = write!(encode, "Self::{variant}(value) => {}({tag}, value, buf),", f.call("encode"));
        let _ = write!(length, "Self::{variant}(value) => {}({tag}, value),", f.call("encoded_len"));
        let _ = write!(
            merge,
            "{tag} => match field {{
Some(Self::{variant}(value)) => {merge}(wire_type, value, buf, ctx),
_ => {{ let mut value = Default::default(); {merge}(wire_type, &mut value, buf, ctx)?; *field = Some(Self::{variant}(value)); Ok(()) }}
}},",
            merge = f.call("merge")
        );
    }
    format!(
        "impl {name} {{
pub fn encode(&self, buf: &mut impl ::prost::bytes::BufMut) {{ match self {{ {encode} }} }}
pub fn merge(field: &mut ::core::option::Option<Self>, tag: u32, wire_type: {ENCODING}::wire_type::WireType,
buf: &mut impl ::prost::bytes::Buf, ctx: {ENCODING}::DecodeContext) -> Result<(), ::prost::DecodeError> {{
match tag {{ {merge} _ => {ENCODING}::skip_field(wire_type, tag, buf, ctx), }} }}
pub fn encoded_len(&self) -> usize {{ match self {{ {length} }} }}
}}
"
    )
}

fn enumeration(name: &str, block: &[&str]) -> String {
    let variants: Vec<(&str, &str)> =
        block.iter().filter_map(|l| l.trim().trim_end_matches(',').split_once(" = ")).collect();
    let arms: String = variants.iter().map(|(v, n)| format!("{n} => Ok(Self::{v}),")).collect();
    let first = variants.first().map_or("", |(v, _)| v);
    format!(
        "impl ::core::convert::TryFrom<i32> for {name} {{
type Error = ::prost::UnknownEnumValue;
fn try_from(value: i32) -> Result<Self, Self::Error> {{ match value {{ {arms} _ => Err(::prost::UnknownEnumValue(value)), }} }}
}}
impl Default for {name} {{ fn default() -> Self {{ Self::{first} }} }}
"
    )
}
