//! Composition: the declarations of a kernel's template, with constants, types, buffers and functions put in their place.
//! What is named must be declared once, and what a template leaves open must be given: a mistake is an error, not a silent default.

use crate::declaration::{Alias, BufferAccess, Constant, Function, Item, ModuleItem, Origin, StorageBuffer};
use crate::parse::{declarations, in_word, without_comments};
use crate::{Hook, ShaderError, registry};

/// The value of a constant.
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
    /// The type that a constant of this value is declared with.
    fn ty(&self) -> &'static str {
        match self {
            Self::U32(_) => "u32",
            Self::I32(_) => "i32",
            Self::F32(_) => "f32",
            Self::Bool(_) => "bool",
        }
    }

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
    declarations: Vec<ModuleItem>,
    buffers: Vec<StorageBuffer>,
    error: Option<ShaderError>,
}

impl Source {
    /// Starts from the registered kernel `name` (a file name without `.wgsl`) and the parts that it is made of.
    pub fn new(name: &str) -> Self {
        let empty = Self { name: name.to_owned(), declarations: vec![], buffers: vec![], error: None };
        match registry::shader(name) {
            Some(shader) => shader.parts.iter().fold(empty.with(shader.source), |source, part| source.include(part)),
            None => empty.fail(ShaderError::UnknownShader(name.to_owned())),
        }
    }

    /// Starts from these buffers and any code. Nothing of it is left open; `name` is used in messages.
    pub fn of_code(name: &str, buffers: Vec<StorageBuffer>, code: &str) -> Self {
        let mut source = Self { name: name.to_owned(), declarations: vec![], buffers, error: None }.with(code);
        for declaration in &mut source.declarations {
            match &mut declaration.declared {
                Item::Constant(Constant { origin, .. }) | Item::Alias(Alias { origin, .. }) => {
                    *origin = Origin::Derived
                }
                Item::Enable(_) | Item::StorageBuffer(_) | Item::Function(_) | Item::Other { .. } => {}
            }
        }
        source
    }

    /// Adds a part: declarations that several kernels have.
    pub fn include(self, part: &str) -> Self {
        match registry::part(part) {
            Some(shader) => self.with(shader.source),
            None => self.fail(ShaderError::UnknownShader(part.to_owned())),
        }
    }

    /// Adds declarations. Their buffers come behind those that are there.
    pub fn with(mut self, code: &str) -> Self {
        let found = match declarations(code) {
            Ok(found) => found,
            Err(reason) => {
                let error = ShaderError::Invalid(format!("shader {}: {reason}", self.name));
                return self.fail(error);
            }
        };
        for declaration in found {
            if let Some(name) = declaration.name()
                && self.declares(name)
            {
                let name = name.to_owned();
                return self.fail_not_once("declaration", &name, 2);
            }
            if let Item::StorageBuffer(buffer) = declaration.declared {
                self.push_buffer(buffer);
            } else {
                self.declarations.push(declaration);
            }
        }
        self
    }

    /// The name used in messages and for pipeline labels.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The buffers in the order of bindings.
    pub fn buffers(&self) -> &[StorageBuffer] {
        &self.buffers
    }

    /// Elements that one access of a buffer moves: 4 if its array is of vectors, 1 otherwise.
    pub fn width(&self, buffer: &StorageBuffer) -> u32 {
        let alias = self.declarations.iter().filter_map(ModuleItem::alias).find(|alias| alias.name == buffer.element);
        let ty = alias.map(|alias| &alias.ty).unwrap_or(&buffer.element);
        if ty.starts_with("vec4<") || ty.starts_with("mat2x4<") { 4 } else { 1 }
    }

    /// Whether the template has this hook.
    pub fn has(&self, hook: Hook) -> bool {
        self.function(hook.name()).is_some()
    }

    /// Adds a buffer behind all others, but before scratch, unless it is that.
    pub fn push_buffer(&mut self, buffer: StorageBuffer) {
        let operands = self.buffers.iter().take_while(|b| !b.scratch).count();
        let at = if buffer.scratch { self.buffers.len() } else { operands };
        self.buffers.insert(at, buffer);
    }

    /// Adds a buffer at this binding; those from there on move up.
    pub fn insert_buffer(mut self, at: usize, buffer: StorageBuffer) -> Self {
        self.buffers.insert(at.min(self.buffers.len()), buffer);
        self
    }

    /// Takes a buffer away that no code uses any more.
    pub fn remove_buffer(mut self, name: &str) -> Self {
        self.buffers.retain(|buffer| buffer.name != name);
        self
    }

    /// Makes a buffer scratch: it is bound behind all others.
    pub fn scratch(mut self, name: &str) -> Self {
        let Some(at) = self.buffers.iter().position(|buffer| buffer.name == name) else {
            return self.fail_not_once("buffer", name, 0);
        };
        let buffer = self.buffers.remove(at);
        self.push_buffer(StorageBuffer { scratch: true, ..buffer });
        self
    }

    /// Lets the code write to the buffer at this binding.
    pub fn allow_writes(mut self, binding: usize) -> Self {
        if let Some(buffer) = self.buffers.get_mut(binding) {
            buffer.access = BufferAccess::ReadWrite;
        }
        self
    }

    /// Gives a constant that the template leaves open its value, which must be of its type.
    pub fn set_const(mut self, name: &str, value: impl Into<ConstValue>) -> Self {
        let value = value.into();
        let Some(literal) = value.literal() else {
            let (shader, name, value) = (self.name.clone(), name.to_owned(), format!("{value:?}"));
            return self.fail(ShaderError::NoLiteral { shader, name, value });
        };
        let mut constants = self.declarations.iter_mut().filter_map(ModuleItem::constant_mut);
        match constants.find(|constant| constant.name == name && constant.origin != Origin::Derived) {
            Some(constant) if constant.ty == value.ty() => {
                (constant.value, constant.origin) = (literal, Origin::Given);
                self
            }
            Some(constant) => {
                let (declared, given) = (constant.ty.clone(), value.ty());
                let (shader, name) = (self.name.clone(), name.to_owned());
                self.fail(ShaderError::ConstType { shader, name, declared, given })
            }
            None => self.fail_not_once("const", name, 0),
        }
    }

    /// Gives an alias its type.
    pub fn set_alias(mut self, name: &str, ty: &str) -> Self {
        let mut aliases = self.declarations.iter_mut().filter_map(ModuleItem::alias_mut);
        match aliases.find(|alias| alias.name == name) {
            Some(alias) => {
                (alias.ty, alias.origin) = (ty.to_owned(), Origin::Given);
                self
            }
            None => self.fail_not_once("alias", name, 0),
        }
    }

    /// Puts statements in place of the body of a hook.
    pub fn set_hook(self, hook: Hook, body: &str) -> Self {
        self.change_function(hook.name(), |function| function.body = format!("\n{}\n", body.trim_end()))
    }

    /// Puts statements behind those of a function.
    pub fn append(self, function: &str, statements: &str) -> Self {
        self.change_function(function, |function| {
            function.body = format!("{}\n{}\n", function.body.trim_end(), statements.trim_end());
        })
    }

    /// Gives a function more parameters, one a line.
    pub fn add_parameters(self, function: &str, parameters: &[&str]) -> Self {
        self.change_function(function, |function| {
            function.parameters.extend(parameters.iter().map(|parameter| format!("    {parameter},\n")));
        })
    }

    /// Puts `code` in place of the one function `name`. The code must define that function, and may declare
    /// anything else beside it: helper functions, constants, more buffers.
    pub fn replace_fn(mut self, name: &str, code: &str) -> Self {
        if self.function(name).is_none() {
            return self.fail_not_once("fn", name, 0);
        }
        self.declarations.retain(|declaration| declaration.function().is_none_or(|f| f.name != name));
        let source = self.with(code);
        if source.error.is_none() && source.function(name).is_none() {
            let (shader, name) = (source.name.clone(), name.to_owned());
            return source.fail(ShaderError::MissingFn { shader, name });
        }
        source
    }

    /// The WGSL, with `enable f16;` first when `f16` occurs in it, whatever is left open.
    pub fn text(&self) -> String {
        let (enables, others): (Vec<_>, Vec<_>) =
            self.declarations.iter().partition(|d| matches!(d.declared, Item::Enable(_)));
        let mut text: String = enables.iter().map(ToString::to_string).collect();
        text.extend(self.buffers.iter().enumerate().map(|(binding, buffer)| buffer.declaration(binding)));
        text.extend(others.iter().map(ToString::to_string));
        let code = without_comments(&text);
        let uses_f16 = code.split(|c| !in_word(c)).any(|word| word == "f16");
        if uses_f16 && !code.contains("enable f16;") { format!("enable f16;\n{text}") } else { text }
    }

    /// The composed WGSL, or the first error met on the way.
    ///
    /// # Errors
    /// Also a constant or an alias that the template leaves open and nobody gave.
    pub fn build(&self) -> Result<String, ShaderError> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        let wanted = |d: &&ModuleItem| d.origin() == Some(Origin::Wanted);
        if let Some(name) = self.declarations.iter().find(wanted).and_then(ModuleItem::name) {
            return Err(ShaderError::NotGiven { shader: self.name.clone(), name: name.to_owned() });
        }
        Ok(self.text())
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

    fn declares(&self, name: &str) -> bool {
        self.declarations.iter().any(|d| d.name() == Some(name)) || self.buffers.iter().any(|b| b.name == name)
    }

    pub(crate) fn function(&self, name: &str) -> Option<&Function> {
        self.declarations.iter().filter_map(ModuleItem::function).find(|function| function.name == name)
    }

    fn change_function(mut self, name: &str, change: impl FnOnce(&mut Function)) -> Self {
        let mut functions = self.declarations.iter_mut().filter_map(ModuleItem::function_mut);
        match functions.find(|function| function.name == name) {
            Some(function) => {
                change(function);
                self
            }
            None => self.fail_not_once("fn", name, 0),
        }
    }
}
