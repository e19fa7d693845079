//! Reads the declarations of a WGSL text. What is within them is left as it is: naga judges it when the kernel is whole.

use crate::declaration::{Alias, BufferAccess, Constant, Function, Item, ModuleItem, Origin, StorageBuffer};

/// The declarations of a text in their order, or what is wrong with it.
pub(crate) fn declarations(text: &str) -> Result<Vec<ModuleItem>, String> {
    let code = without_comments(text);
    let (mut found, mut at) = (vec![], 0);
    let mut buffers = 0;
    while let Some(space) = code[at..].find(|c: char| !c.is_whitespace() && c != ';') {
        let start = at + space;
        let end =
            declaration_end(&code, start).ok_or_else(|| format!("{:?} has no end", first_line(&text[start..])))?;
        let line_end = code[end..].find('\n').map_or(text.len(), |n| end + n);
        // A comment behind the declaration, if nothing else stands there.
        let rest = if code[end..line_end].trim().is_empty() { line_end } else { end };
        let mut declared = declared(&text[start..end], &code[start..end])?;
        let mut after = text[end..rest].trim_end().to_string();
        if let Item::StorageBuffer(buffer) = &mut declared {
            buffer.note = std::mem::take(&mut after);
            let number = format!("@binding({buffers})");
            if !code[start..end].replace(' ', "").contains(&number) {
                return Err(format!(
                    "buffer {} should have {number}: buffers stand in the order of bindings",
                    buffer.name
                ));
            }
            buffers += 1;
        }
        let before = text[at..start].trim_start_matches(['\n', ';']).to_string();
        found.push(ModuleItem { before, declared, after });
        at = rest;
    }
    Ok(found)
}

/// The code, without comments, with its own declared names, but for those in `keep`, begun by `prefix`: apart from any other code.
///
/// # Errors
/// Code that does not consist of declarations.
pub fn with_prefix(code: &str, prefix: &str, keep: &[&str]) -> Result<String, crate::ShaderError> {
    let code = without_comments(code);
    let declared = declarations(&code).map_err(crate::ShaderError::Invalid)?;
    let names: Vec<&str> = declared.iter().filter_map(ModuleItem::name).filter(|name| !keep.contains(name)).collect();
    let mut out = String::with_capacity(code.len());
    let (mut rest, mut in_struct) = (code.as_str(), false);
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphabetic()) {
        let end = rest[start..].find(|c| !in_word(c)).map_or(rest.len(), |end| start + end);
        let (word, before) = (&rest[start..end], &rest[..start]);
        // Digits and points before letters make them part of a number or a member.
        let begins = !before.ends_with(|c: char| in_word(c) || c == '.');
        in_struct = (in_struct && !before.contains('}')) || (begins && word == "struct");
        // Members are named behind points, where nothing is changed.
        let member = in_struct && rest[end..].trim_start().starts_with(':');
        out.push_str(before);
        if begins && !member && names.contains(&word) {
            out.push_str(prefix);
        }
        out.push_str(word);
        rest = &rest[end..];
    }
    Ok(out + rest)
}

pub(crate) fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// The same text with comments blanked out, byte for byte, so that positions still agree.
pub(crate) fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("//").into_iter().chain(rest.find("/*")).min() {
        out.push_str(&rest[..at]);
        let length = match rest[at..].starts_with("//") {
            true => rest[at..].find('\n').unwrap_or(rest.len() - at),
            false => block_length(&rest[at..]),
        };
        out.extend(rest[at..at + length].bytes().map(|b| if b == b'\n' { '\n' } else { ' ' }));
        rest = &rest[at + length..];
    }
    out + rest
}

/// The bytes of a block comment, which may hold others.
fn block_length(text: &str) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while at < text.len() {
        let here = &text.as_bytes()[at..];
        if here.starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if here.starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// Behind the `;` or the brace that ends the declaration which begins at `start`.
fn declaration_end(code: &str, start: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (i, c) in code[start..].char_indices() {
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => depth = depth.checked_sub(1)?,
            ';' if depth == 0 => return Some(start + i + 1),
            _ => continue,
        }
        if c == '}' && depth == 0 {
            return Some(start + i + 1);
        }
    }
    None
}

/// One declaration; `code` is its text without comments.
fn declared(text: &str, code: &str) -> Result<Item, String> {
    let head = attributes_end(code);
    let rest = &code[head..];
    let word = rest.split(|c| !in_word(c)).next().unwrap_or_default();
    let value = || rest[word.len()..].trim_end_matches(';').split_once('=').map(|(a, b)| (a.trim(), b.trim()));
    let other = |name: Option<&str>| Item::Other { name: name.map(str::to_string), text: text.to_string() };
    Ok(match word {
        "enable" => Item::Enable(code.to_string()),
        "const" => match value() {
            Some((name, value)) => {
                let (name, ty) = name.split_once(':').unwrap_or((name, ""));
                let origin = if is_literal(value) { Origin::Wanted } else { Origin::Derived };
                let [name, ty, value] = [name.trim(), ty.trim(), value].map(str::to_string);
                Item::Constant(Constant { name, ty, value, origin })
            }
            None => return Err(format!("{:?} has no value", first_line(text))),
        },
        "alias" => match value() {
            Some((name, ty)) => Item::Alias(Alias { name: name.into(), ty: ty.into(), origin: Origin::Wanted }),
            None => return Err(format!("{:?} has no type", first_line(text))),
        },
        "fn" => Item::Function(function(text, code, head)?),
        "var" => match buffer(rest) {
            Some(buffer) => Item::StorageBuffer(buffer),
            None => other(variable(rest)),
        },
        "struct" => other(rest[word.len()..].split(['{', ' ']).find(|name| !name.is_empty())),
        _ => other(None),
    })
}

/// The name of `var<..> name: type`.
fn variable(rest: &str) -> Option<&str> {
    let (name, _) = rest.split_once(':')?;
    name.rsplit(|c| !in_word(c)).find(|word| !word.is_empty())
}

/// Where the keyword stands, behind `@name` and `@name(..)`.
fn attributes_end(code: &str) -> usize {
    let mut at = 0;
    while code[at..].starts_with('@') {
        at += 1 + code[at + 1..].find(|c| !in_word(c)).unwrap_or(code.len() - at - 1);
        if code[at..].trim_start().starts_with('(') {
            at += code[at..].find(')').map_or(code.len() - at, |end| end + 1);
        }
        at += code[at..].len() - code[at..].trim_start().len();
    }
    at
}

fn function(text: &str, code: &str, head: usize) -> Result<Function, String> {
    let broken = || format!("{:?} is no function", first_line(text));
    let open = head + code[head..].find('(').ok_or_else(broken)?;
    let body = open + code[open..].find('{').ok_or_else(broken)?;
    let close = matching(code, open).filter(|&close| close < body).ok_or_else(broken)?;
    Ok(Function {
        attributes: text[..head].to_string(),
        name: code[head + 2..open].trim().to_string(),
        parameters: text[open + 1..close].to_string(),
        result: text[close + 1..body].to_string(),
        body: text[body + 1..text.len() - 1].to_string(),
    })
}

/// The parenthesis that closes the one at `open`.
fn matching(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (i, c) in code[open..].char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => continue,
        }
        if depth == 0 {
            return Some(open + i);
        }
    }
    None
}

/// `var<storage, access> name: array<element>;`
fn buffer(rest: &str) -> Option<StorageBuffer> {
    let (space, declared) = rest.strip_prefix("var<")?.split_once('>')?;
    let (storage, access) = space.split_once(',').unwrap_or((space, "read"));
    let access = match (storage.trim(), access.trim()) {
        ("storage", "read") => BufferAccess::Read,
        ("storage", "read_write") => BufferAccess::ReadWrite,
        _ => return None,
    };
    let (name, ty) = declared.trim_end_matches(';').split_once(':')?;
    let element = ty.trim().strip_prefix("array<")?.strip_suffix('>')?;
    Some(StorageBuffer::new(name.trim(), access, element.trim()))
}

/// Whether a value names nothing: then a kernel has to give it.
fn is_literal(value: &str) -> bool {
    let number = value.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit());
    let one = value.chars().all(|c| c.is_ascii_alphanumeric() || ['.', '-'].contains(&c));
    value == "true" || value == "false" || (number && one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_the_sum_of_its_declarations() {
        let text = "// first { \nconst A: u32 = 3u; // three\nconst B = A * 2u;\nalias T = f32;\n\n/* two ; /* deep */ } */
@group(0) @binding(0) var<storage, read> x: array<vec4<T>>; // [A]
@group(0) @binding(1)\nvar<storage, read_write> y: array<T>;
var<workgroup> shared_values: array<T, B>;\nvar<private> own: T = T();
struct Both { a: u32, b: T }
fn one(v: vec2<f32>) -> f32 { if (v.x > 0.0) { return v.x; } return v.y; }
@compute @workgroup_size(64, 1)\nfn main(@builtin(workgroup_id) group: vec3<u32>) {\n    // }\n    y[0] = one(vec2<f32>());\n}\n";
        let found = declarations(text).expect("declarations");
        let names: Vec<&str> = found.iter().filter_map(ModuleItem::name).collect();
        assert_eq!(names, ["A", "B", "T", "x", "y", "shared_values", "own", "Both", "one", "main"]);
        let origins: Vec<Origin> = found.iter().filter_map(ModuleItem::origin).collect();
        assert_eq!(origins, [Origin::Wanted, Origin::Derived, Origin::Wanted]);
        let Item::StorageBuffer(x) = &found[3].declared else { panic!("{:?}", found[3]) };
        assert_eq!((x.name.as_str(), x.access, x.element.as_str()), ("x", BufferAccess::Read, "vec4<T>"));
        assert_eq!(x.declaration(2), "@group(0) @binding(2) var<storage, read> x: array<vec4<T>>; // [A]\n");
        let Item::Function(main) = &found[9].declared else { panic!("{:?}", found[9]) };
        assert_eq!(main.parameters, "@builtin(workgroup_id) group: vec3<u32>");
        let printed: String = found.iter().map(ToString::to_string).collect();
        assert!(printed.contains("// first { \nconst A: u32 = 3u; // three\nconst B = A * 2u;\n"), "{printed}");
        assert!(printed.contains("fn one(v: vec2<f32>) -> f32 { if (v.x"), "{printed}");
    }

    #[test]
    fn what_has_no_end_or_stands_at_another_binding_is_told() {
        assert!(declarations("fn f() {\n    let a = 1;\n").expect_err("no end").contains("fn f()"));
        assert!(declarations("const A: u32;").expect_err("no value").contains("no value"));
        let apart = "@group(0) @binding(1) var<storage> x: array<f32>;";
        assert!(declarations(apart).expect_err("binding 0 is missing").contains("@binding(0)"));
    }

    #[test]
    fn names_get_a_prefix_where_they_are_whole_words() {
        let code = "fn op(x: f32) -> f32 { return x + v.op + op1(x); }\nfn put(value: f32) { y[0] = op(value); }\n";
        let expected =
            "fn my_op(x: f32) -> f32 { return x + v.op + op1(x); }\nfn put(value: f32) { y[0] = my_op(value); }\n";
        assert_eq!(with_prefix(code, "my_", &["put"]).as_deref(), Ok(expected));
        let code = "alias a = f32;\nstruct Both { a: a, b: vec2<a> }\nfn of(both: Both, a: u32) -> a { return both.a + f32(a); }\n";
        let expected = "alias my_a = f32;\nstruct my_Both { a: my_a, b: vec2<my_a> }
fn my_of(both: my_Both, my_a: u32) -> my_a { return both.a + f32(my_a); }\n";
        assert_eq!(with_prefix(code, "my_", &[]).as_deref(), Ok(expected));
    }
}
