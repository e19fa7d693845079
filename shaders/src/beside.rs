//! Several kernels in one dispatch: each workgroup does what one of them would, so that short ones neither wait for one another nor leave
//! a device half empty.

use std::fmt::Write;

use crate::ShaderError;
use crate::declaration::{BufferAccess, Function, Item, ModuleItem};
use crate::parse::{declarations, with_prefix};

/// A kernel that may share a dispatch.
#[derive(Debug, Clone)]
pub struct Neighbour {
    text: String,
    /// Invocations of a workgroup.
    threads: u32,
    /// Whether invocations of a workgroup hand anything to one another.
    exchanges: bool,
    /// Bytes of workgroup memory, or somewhat more.
    workgroup_bytes: u32,
    /// What it does with each of its buffers, in the order of bindings.
    access: Vec<BufferAccess>,
}

impl Neighbour {
    /// The kernel of a text; none if its entry point is not the one that all kernels here have: workgroups in one row, numbered by
    /// `group.x + group.y * groups.x`, of a size that is a product of numbers and constants.
    pub fn of(text: &str) -> Option<Neighbour> {
        let items = declarations(text).ok()?;
        let other_binding = |item: &ModuleItem| match &item.declared {
            Item::Other { text, .. } => text.contains("@binding") || text.starts_with("override"),
            Item::Enable(_) | Item::StorageBuffer(_) | Item::Constant(_) | Item::Alias(_) | Item::Function(_) => false,
        };
        let main = items.iter().filter_map(ModuleItem::function).find(|f| f.name == "main");
        let threads = main.filter(|main| parameters(main) == PARAMETERS).and_then(|main| {
            let (_, size) = main.attributes.split_once("@workgroup_size(")?;
            product(size.split_once(')')?.0, &items)
        });
        let threads = threads.filter(|_| !items.iter().any(other_binding))?;
        let access = items.iter().filter_map(|item| match &item.declared {
            Item::StorageBuffer(buffer) => Some(buffer.access),
            Item::Enable(_) | Item::Constant(_) | Item::Alias(_) | Item::Function(_) | Item::Other { .. } => None,
        });
        let workgroup_bytes =
            items.iter().try_fold(0u32, |all, item| all.checked_add(workgroup_bytes(item, &items)?))?;
        let exchanges = ["var<workgroup>", "Barrier", "subgroup"].iter().any(|word| text.contains(word));
        Some(Neighbour { text: text.to_string(), threads, exchanges, workgroup_bytes, access: access.collect() })
    }

    /// Invocations of a workgroup.
    pub fn threads(&self) -> u32 {
        self.threads
    }

    /// What it does with each of its buffers, in the order of bindings.
    pub fn access(&self) -> &[BufferAccess] {
        &self.access
    }

    /// Bytes of workgroup memory, or somewhat more.
    pub fn workgroup_bytes(&self) -> u32 {
        self.workgroup_bytes
    }

    /// Whether its workgroups can be those of so many invocations: as they are, or several as one where each invocation is alone.
    pub fn suits(&self, threads: u32) -> bool {
        self.threads == threads || (!self.exchanges && threads.is_multiple_of(self.threads))
    }
}

/// One kernel of workgroups of `threads` invocations that does what these do in so many workgroups each, and how many it takes; their
/// buffers one behind the other, with these accesses.
///
/// # Errors
/// Kernels that do not suit such workgroups, and more workgroups than 32 bits number.
pub fn beside(
    threads: u32,
    kernels: &[(&Neighbour, u32)],
    access: &[BufferAccess],
) -> Result<(String, u32), ShaderError> {
    let (mut enabled, mut buffers, mut rest) = (vec![], String::new(), String::new());
    let (mut calls, mut all, mut binding) = (String::new(), 0u32, 0);
    for (k, (kernel, workgroups)) in kernels.iter().enumerate() {
        if !kernel.suits(threads) {
            let message = format!("workgroups of {} and of {threads} invocations in one dispatch", kernel.threads);
            return Err(ShaderError::Invalid(message));
        }
        let own = with_prefix(&kernel.text, &format!("k{k}_"), &[])?;
        for mut item in declarations(&own).map_err(ShaderError::Invalid)? {
            match &mut item.declared {
                Item::Enable(text) if enabled.contains(text) => {}
                Item::Enable(text) => enabled.push(text.clone()),
                Item::StorageBuffer(buffer) => {
                    buffer.access = access.get(binding).copied().unwrap_or(buffer.access);
                    buffers += &buffer.declaration(binding);
                    binding += 1;
                }
                Item::Function(main) if main.name == format!("k{k}_main") => {
                    main.attributes.clear();
                    main.parameters = PARAMETERS.map(|(name, ty)| format!("{name}: {ty}")).join(", ");
                    let _ = write!(rest, "{item}");
                }
                Item::Constant(_) | Item::Alias(_) | Item::Function(_) | Item::Other { .. } => {
                    let _ = write!(rest, "{item}");
                }
            }
        }
        let packed = threads / kernel.threads;
        let first = all;
        let end = first.checked_add(workgroups.div_ceil(packed));
        all = end.ok_or_else(|| ShaderError::Invalid("workgroups beyond 32 bits".into()))?;
        calls += &call(k, [first, all], *workgroups, [kernel.threads, packed]);
    }
    let [enabled, entry] = [enabled.join("\n"), PARAMETERS_OF_ENTRY.join(", ")];
    let text = format!(
        "{enabled}\n{buffers}{rest}
@compute @workgroup_size({threads})
fn main({entry}) {{
    let number = group.x + group.y * groups.x;
{calls}}}
"
    );
    Ok((text, all))
}

/// The workgroups from `first` to `end`, as those of a kernel.
fn call(k: usize, [first, end]: [u32; 2], workgroups: u32, [threads, packed]: [u32; 2]) -> String {
    let own = format!("    if number >= {first}u && number < {end}u {{\n");
    let rest = if packed == 1 {
        format!(
            "        k{k}_main(vec3<u32>(number - {first}u, 0u, 0u), vec3<u32>({workgroups}u, 1u, 1u), thread);\n    }}\n"
        )
    } else {
        format!(
            "        let own = (number - {first}u) * {packed}u + thread / {threads}u;
        if own < {workgroups}u {{
            k{k}_main(vec3<u32>(own, 0u, 0u), vec3<u32>({workgroups}u, 1u, 1u), thread % {threads}u);
        }}
    }}
"
        )
    };
    own + &rest
}

const PARAMETERS: [(&str, &str); 3] = [("group", "vec3<u32>"), ("groups", "vec3<u32>"), ("thread", "u32")];
const PARAMETERS_OF_ENTRY: [&str; 3] = [
    "@builtin(workgroup_id) group: vec3<u32>",
    "@builtin(num_workgroups) groups: vec3<u32>",
    "@builtin(local_invocation_index) thread: u32",
];

/// Names and types of a function's parameters, if there are three.
fn parameters(function: &Function) -> [(&str, &str); 3] {
    let mut found = [("", ""); 3];
    // Types have commas of their own nowhere but in brackets that parameters here do not have.
    let given: Vec<&str> = function.parameters.split(',').map(str::trim).filter(|p| !p.is_empty()).collect();
    if given.len() == 3 {
        for (place, parameter) in found.iter_mut().zip(given) {
            let plain = parameter.rsplit(')').next().unwrap_or_default();
            let (name, ty) = plain.split_once(':').unwrap_or(("", ""));
            *place = (name.trim(), ty.trim());
        }
    }
    found
}

/// Bytes of a variable in workgroup memory, no element being larger than four numbers; 0 for what is none.
fn workgroup_bytes(item: &ModuleItem, items: &[ModuleItem]) -> Option<u32> {
    let Item::Other { text, .. } = &item.declared else { return Some(0) };
    let Some(variable) = text.strip_prefix("var<workgroup>") else { return Some(0) };
    let (_, array) = variable.split_once("array<")?;
    let (element, len) = array.trim_end_matches([';', '>']).rsplit_once(',')?;
    let bytes = if ["f32", "u32", "i32"].contains(&element.trim()) { 4 } else { 16 };
    product(len, items)?.checked_mul(bytes)
}

/// The value of a product of numbers and of constants that are such products.
fn product(expression: &str, items: &[ModuleItem]) -> Option<u32> {
    expression.split('*').try_fold(1u32, |all, factor| {
        let factor = factor.trim();
        let value = match factor.trim_end_matches('u').parse() {
            Ok(number) => number,
            Err(_) => items.iter().find_map(|item| match &item.declared {
                Item::Constant(constant) if constant.name == factor => product(&constant.value, items),
                Item::Constant(_)
                | Item::Enable(_)
                | Item::StorageBuffer(_)
                | Item::Alias(_)
                | Item::Function(_)
                | Item::Other { .. } => None,
            })?,
        };
        all.checked_mul(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate;

    const ENTRY: &str = "(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
)";

    fn doubling(threads: &str) -> String {
        format!(
            "const SIZE: u32 = 8u;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@compute @workgroup_size({threads})
fn main{ENTRY} {{
    let i = (group.x + group.y * groups.x) * {threads} + thread;
    if i < 100u {{ y[i] = 2.0 * x[i]; }}
}}
"
        )
    }

    fn summing() -> String {
        format!(
            "@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
var<workgroup> shared_values: array<f32, 64>;
@compute @workgroup_size(64)
fn main{ENTRY} {{
    shared_values[thread] = x[thread];
    workgroupBarrier();
    if thread == 0u {{ y[group.x + group.y * groups.x] = shared_values[63]; }}
}}
"
        )
    }

    #[test]
    fn kernels_of_one_dispatch_are_one_valid_kernel_with_all_their_buffers() {
        let small = Neighbour::of(&doubling("2u * SIZE")).expect("of the usual form");
        let sum = Neighbour::of(&summing()).expect("of the usual form");
        assert_eq!((small.threads(), small.workgroup_bytes(), sum.threads(), sum.workgroup_bytes()), (16, 0, 64, 256));
        let access = [BufferAccess::ReadWrite, BufferAccess::ReadWrite, BufferAccess::Read, BufferAccess::ReadWrite];
        let (text, workgroups) = beside(64, &[(&small, 7), (&sum, 3)], &access).expect("they suit one another");
        // Four workgroups of 16 are one of 64.
        assert_eq!(workgroups, 2 + 3);
        assert!(text.contains("@workgroup_size(64)") && text.contains("let own = (number - 0u) * 4u + thread / 16u;"));
        assert!(
            text.contains("@binding(0) var<storage, read_write> k0_x")
                && text.contains("@binding(2) var<storage, read> k1_x")
        );
        validate::check(&text, &[]).unwrap_or_else(|e| panic!("{e}\n{text}"));
    }

    #[test]
    fn what_does_not_suit_is_told_apart() {
        let sum = Neighbour::of(&summing()).expect("of the usual form");
        assert!(sum.suits(64) && !sum.suits(128));
        let large = Neighbour::of(&doubling("128u")).expect("of the usual form");
        assert!(large.suits(128) && large.suits(256) && !large.suits(64));
        assert!(beside(128, &[(&sum, 1), (&large, 1)], &[]).is_err());
        for other in [
            summing().replace("thread: u32", "own: u32"),
            summing().replace("64)", "max(1, 2))"),
            summing() + "@group(0) @binding(2) var<storage, read_write> count: atomic<u32>;\n",
        ] {
            assert!(Neighbour::of(&other).is_none(), "{other}");
        }
    }
}
