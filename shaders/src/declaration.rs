//! What WGSL declares at module scope, as structures that composition changes and prints.

use std::fmt::{self, Display};

/// Whether a kernel may write to a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It reads alone.
    Read,
    /// It reads and writes.
    ReadWrite,
}

/// A storage buffer. Its binding number is its place among the buffers of a [`Source`](crate::Source).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buffer {
    /// The name of the variable.
    pub name: String,
    /// What the kernel may do with it.
    pub access: Access,
    /// The type of an element of its array, as WGSL or an alias.
    pub element: String,
    /// Bound behind all operands: what dispatches of one step hand to one another.
    pub scratch: bool,
    /// A comment behind the declaration.
    pub(crate) note: String,
}

impl Buffer {
    /// An operand.
    pub fn new(name: impl Into<String>, access: Access, element: impl Into<String>) -> Self {
        Self { name: name.into(), access, element: element.into(), scratch: false, note: String::new() }
    }

    /// The line that declares it at this binding of group 0.
    pub fn declaration(&self, binding: usize) -> String {
        let access = match self.access {
            Access::Read => "read",
            Access::ReadWrite => "read_write",
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
pub(crate) enum Declared {
    /// `enable ..;`, which stands before all others.
    Enable(String),
    Buffer(Buffer),
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
pub(crate) struct Declaration {
    /// Comments and empty lines before it.
    pub before: String,
    pub declared: Declared,
    /// The rest of its last line.
    pub after: String,
}

impl Declaration {
    /// The name by which WGSL knows it.
    pub fn name(&self) -> Option<&str> {
        match &self.declared {
            Declared::Enable(_) => None,
            Declared::Buffer(buffer) => Some(&buffer.name),
            Declared::Constant(constant) => Some(&constant.name),
            Declared::Alias(alias) => Some(&alias.name),
            Declared::Function(function) => Some(&function.name),
            Declared::Other { name, .. } => name.as_deref(),
        }
    }

    /// The function that it is.
    pub fn function(&self) -> Option<&Function> {
        if let Declared::Function(function) = &self.declared { Some(function) } else { None }
    }

    /// The function that it is, to be changed.
    pub fn function_mut(&mut self) -> Option<&mut Function> {
        if let Declared::Function(function) = &mut self.declared { Some(function) } else { None }
    }

    /// The constant that it is, to be changed.
    pub fn constant_mut(&mut self) -> Option<&mut Constant> {
        if let Declared::Constant(constant) = &mut self.declared { Some(constant) } else { None }
    }

    /// The alias that it is.
    pub fn alias(&self) -> Option<&Alias> {
        if let Declared::Alias(alias) = &self.declared { Some(alias) } else { None }
    }

    /// The alias that it is, to be changed.
    pub fn alias_mut(&mut self) -> Option<&mut Alias> {
        if let Declared::Alias(alias) = &mut self.declared { Some(alias) } else { None }
    }

    /// Where the value of a constant or alias comes from.
    pub fn origin(&self) -> Option<Origin> {
        match &self.declared {
            Declared::Constant(constant) => Some(constant.origin),
            Declared::Alias(alias) => Some(alias.origin),
            Declared::Enable(_) | Declared::Buffer(_) | Declared::Function(_) | Declared::Other { .. } => None,
        }
    }
}

impl Display for Declaration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(self.declared, Declared::Function(_)) {
            writeln!(f)?;
        }
        f.write_str(&self.before)?;
        match &self.declared {
            Declared::Enable(text) | Declared::Other { text, .. } => f.write_str(text)?,
            // Printed by the source, which knows its number.
            Declared::Buffer(_) => {}
            Declared::Constant(Constant { name, ty, value, .. }) if ty.is_empty() => {
                write!(f, "const {name} = {value};")?
            }
            Declared::Constant(Constant { name, ty, value, .. }) => write!(f, "const {name}: {ty} = {value};")?,
            Declared::Alias(Alias { name, ty, .. }) => write!(f, "alias {name} = {ty};")?,
            Declared::Function(Function { attributes, name, parameters, result, body }) => {
                write!(f, "{attributes}fn {name}({parameters}){result}{{{body}}}")?
            }
        }
        writeln!(f, "{}", self.after)
    }
}
