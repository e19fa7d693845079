//! Eight neighbours of an operand in 16 bits, loaded at once: a word of its buffer is a matrix of two columns of four, since compilers
//! join the loads of an element of 16 bytes, and WGSL has no vector that long.

use crate::{Hook, Source};

/// The type of eight neighbours.
const EIGHT: &str = "mat2x4<f16>";

/// Gives operand `name` (`a` or `b`) words of eight, and the function that gives those that were found, or zeros. Where they are `kept` it also
/// takes whether they are the invocation's own.
pub(super) fn declare(source: Source, name: &str, kept: bool) -> Source {
    let value = format!("{}Val", name.to_uppercase());
    let load =
        format!("fn {name}_load(word: u32) -> {value} {{\n    return {value}({name}[word / 2u][word % 2u]);\n}}");
    source
        .set_alias(&format!("{}Word", name.to_uppercase()), EIGHT)
        .replace_fn(&format!("{name}_load"), &load)
        .with(&function(name, &format!("{name}[found.at]"), kept, ""))
}

fn function(name: &str, value: &str, kept: bool, keep: &str) -> String {
    let mine = if kept { ", mine: bool" } else { "" };
    format!(
        "fn {name}_eight(found: Found{mine}) -> {EIGHT} {{
    let both = {value};
{keep}    return {EIGHT}(select(vec4<f16>(), both[0], found.valid), select(vec4<f16>(), both[1], found.valid));
}}
"
    )
}

impl Source {
    /// Puts statements that compute a word of four (or one) in place of a hook that loads it; eight at once are then computed as two words.
    pub fn compute_input(self, hook: Hook, body: &str) -> Self {
        let name = match hook {
            Hook::LoadA => "a",
            Hook::LoadB => "b",
            Hook::Put | Hook::Put4 | Hook::KeepA => return self.set_hook(hook, body),
        };
        let eight = format!("{name}_eight");
        if self.function(&eight).is_none() {
            return self.set_hook(hook, body);
        }
        let value = format!("{EIGHT}({name}_load(found.at * 2u), {name}_load(found.at * 2u + 1u))");
        let kept = self.function(&format!("{name}_keep")).is_some();
        let own = |half: u32| format!("        {name}_keep(found.at * 2u + {half}u, both[{half}]);\n");
        let keep = format!("    if (mine & found.valid) {{\n{}{}    }}\n", own(0), own(1));
        self.set_alias(&format!("{}Word", name.to_uppercase()), "vec4<f16>")
            .set_hook(hook, body)
            .replace_fn(&eight, &function(name, &value, kept, if kept { &keep } else { "" }))
    }
}
