//! What WGSL declares at module scope, as structures that composition changes and prints.

use std::fmt::{self, Display};

/// Whether a kernel may write to a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BufferAccess {
    /// It reads alone.
    Read,
    /// It reads and writes.
    ReadWrite,
}

/// A storage buffer. Its binding number is its place among the buffers of a [`Source`](crate::Source).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageBuffer {
    /// The name of the variable.
    pub name: String,
    /// What the kernel may do with it.
    pub access: BufferAccess,
    /// The type of an element of its array, as WGSL or an alias.
    pub element: String,
    /// Bound behind all operands: what dispatches of one step hand to one another.
    pub scratch: bool,
    /// A comment behind the declaration.
    pub(crate) note: String,
}

impl StorageBuffer {
    /// An operand.
    pub fn new(name: impl Into<String>, access: BufferAccess, element: impl Into<String>) -> Self {
        Self { name: name.into(), access, element: element.into(), scratch: false, note: String::new() }
    }

    /// The line that declares it at this binding of group 0.
    pub fn declaration(&self, binding: usize) -> String {
        let access = match self.access {
            BufferAccess::Read => "read",
            BufferAccess::ReadWrite => "read_write",
        };
        let Self { name, element, note, .. } = self;
        format!("@group(0) @binding({binding}) var<storage, {access}> {name}: array<{element}>;{note}\n")
    }
}

/// Where the value of a constant comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The file says it, as an expression of other constants.
    Derived,
    /// A kernel has to give it; what the file says is an example.
    Wanted,
    /// A kernel has given it.
    Given,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Constant {
    pub name: String,
    /// The declared type, or nothing.
    pub ty: String,
    pub value: String,
    pub origin: Origin,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alias {
    pub name: String,
    pub ty: String,
    pub origin: Origin,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Function {
    /// Attributes, each followed by white space.
    pub attributes: String,
    pub name: String,
    /// What stands between the parentheses.
    pub parameters: String,
    /// What stands between parentheses and body.
    pub result: String,
    /// What stands between the braces.
    pub body: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item {
    /// `enable ..;`, which stands before all others.
    Enable(String),
    StorageBuffer(StorageBuffer),
    Constant(Constant),
    Alias(Alias),
    Function(Function),
    /// A struct, a variable that is no storage buffer, or what has no name.
    Other {
        name: Option<String>,
        text: String,
    },
}

/// A declaration with the comments around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ModuleItem {
    /// Comments and empty lines before it.
    pub before: String,
    pub declared: Item,
    /// The rest of its last line.
    pub after: String,
}

impl ModuleItem {
    /// The name by which WGSL knows it.
    pub fn name(&self) -> Option<&str> {
        match &self.declared {
            Item::Enable(_) => None,
            Item::StorageBuffer(buffer) => Some(&buffer.name),
            Item::Constant(constant) => Some(&constant.name),
            Item::Alias(alias) => Some(&alias.name),
            Item::Function(function) => Some(&function.name),
            Item::Other { name, .. } => name.as_deref(),
        }
    }

    /// The function that it is.
    pub fn function(&self) -> Option<&Function> {
        if let Item::Function(function) = &self.declared { Some(function) } else { None }
    }

    /// The function that it is, to be changed.
    pub fn function_mut(&mut self) -> Option<&mut Function> {
        if let Item::Function(function) = &mut self.declared { Some(function) } else { None }
    }

    /// The constant that it is, to be changed.
    pub fn constant_mut(&mut self) -> Option<&mut Constant> {
        if let Item::Constant(constant) = &mut self.declared { Some(constant) } else { None }
    }

    /// The alias that it is.
    pub fn alias(&self) -> Option<&Alias> {
        if let Item::Alias(alias) = &self.declared { Some(alias) } else { None }
    }

    /// The alias that it is, to be changed.
    pub fn alias_mut(&mut self) -> Option<&mut Alias> {
        if let Item::Alias(alias) = &mut self.declared { Some(alias) } else { None }
    }

    /// Where the value of a constant or alias comes from.
    pub fn origin(&self) -> Option<Origin> {
        match &self.declared {
            Item::Constant(constant) => Some(constant.origin),
            Item::Alias(alias) => Some(alias.origin),
            Item::Enable(_) | Item::StorageBuffer(_) | Item::Function(_) | Item::Other { .. } => None,
        }
    }
}

impl Display for ModuleItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(self.declared, Item::Function(_)) {
            writeln!(f)?;
        }
        f.write_str(&self.before)?;
        match &self.declared {
            Item::Enable(text) | Item::Other { text, .. } => f.write_str(text)?,
            // Printed by the source, which knows its number.
            Item::StorageBuffer(_) => {}
            Item::Constant(Constant { name, ty, value, .. }) if ty.is_empty() => write!(f, "const {name} = {value};")?,
            Item::Constant(Constant { name, ty, value, .. }) => write!(f, "const {name}: {ty} = {value};")?,
            Item::Alias(Alias { name, ty, .. }) => write!(f, "alias {name} = {ty};")?,
            Item::Function(Function { attributes, name, parameters, result, body }) => {
                write!(f, "{attributes}fn {name}({parameters}){result}{{{body}}}")?
            }
        }
        writeln!(f, "{}", self.after)
    }
}
