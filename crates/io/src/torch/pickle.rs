//! The opcodes of pickles that state dicts use. Nothing is ever called: known globals stand for themselves, others are opaque.

use std::collections::HashMap;

/// A value, by its place among all of them, so that circles and depth cost nothing.
pub(super) type Id = usize;

/// Most values of a pickle.
const MOST: usize = 4_000_000;

/// Part of a storage.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct StorageView {
    /// Key of the storage.
    pub storage: String,
    /// Name of its class, which tells the type of its elements.
    pub class: String,
    /// Its number of elements.
    pub elements: usize,
    pub offset: usize,
    pub size: Vec<usize>,
    pub stride: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq)]
enum Pickled {
    None,
    Bool,
    Int(i64),
    Text(String),
    /// Whatever else is of no use here.
    Other,
    Items(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(String),
    Storage {
        class: String,
        key: String,
        elements: usize,
    },
    Tensor(StorageView),
    Opaque(String),
}

/// The interpreter, and all values that it has made.
#[derive(Default)]
pub(super) struct Unpickler {
    values: Vec<Pickled>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    /// What objects of unknown classes were filled with.
    states: HashMap<Id, Id>,
}

type Parsed<T> = Result<T, String>;

/// Bytes that are read one after the other.
pub(super) struct Bytes<'b> {
    bytes: &'b [u8],
    pub at: usize,
}

impl<'b> Bytes<'b> {
    pub fn new(bytes: &'b [u8]) -> Bytes<'b> {
        Bytes { bytes, at: 0 }
    }

    pub fn take(&mut self, n: usize) -> Parsed<&'b [u8]> {
        let end = self.at.checked_add(n).filter(|&end| end <= self.bytes.len()).ok_or("it ends too early")?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self) -> Parsed<u8> {
        Ok(self.take(1)?[0])
    }

    /// A whole number of up to 8 bytes, least first.
    pub fn number(&mut self, bytes: usize) -> Parsed<u64> {
        let taken = self.take(bytes)?;
        Ok(taken.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b)))
    }

    fn line(&mut self) -> Parsed<String> {
        let rest = &self.bytes[self.at.min(self.bytes.len())..];
        let n = rest.iter().position(|&b| b == b'\n').ok_or("it ends too early")?;
        let text = String::from_utf8_lossy(self.take(n)?).into_owned();
        self.take(1)?;
        Ok(text)
    }
}

impl Unpickler {
    fn make(&mut self, value: Pickled) -> Parsed<Id> {
        if self.values.len() >= MOST {
            return Err(format!("it has more than {MOST} values"));
        }
        self.values.push(value);
        Ok(self.values.len() - 1)
    }

    fn push(&mut self, value: Pickled) -> Parsed<()> {
        let id = self.make(value)?;
        self.stack.push(id);
        Ok(())
    }

    fn pop(&mut self) -> Parsed<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            Err("an operand is missing".into())
        } else {
            self.stack.pop().ok_or("an operand is missing".into())
        }
    }

    fn top(&self) -> Parsed<Id> {
        self.stack.last().copied().ok_or("an operand is missing".into())
    }

    /// What stands above the last mark.
    fn marked(&mut self) -> Parsed<Vec<Id>> {
        let mark = self.marks.pop().ok_or("a mark is missing")?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    /// Runs one pickle and gives its value.
    pub fn run(&mut self, from: &mut Bytes<'_>) -> Parsed<Id> {
        self.stack.clear();
        self.marks.clear();
        self.memo.clear();
        loop {
            let code = from.byte()?;
            if code == b'.' {
                return self.pop();
            }
            self.step(code, from)?;
        }
    }

    fn step(&mut self, code: u8, from: &mut Bytes<'_>) -> Parsed<()> {
        match code {
            0x80 => drop(from.take(1)?),
            0x95 => drop(from.take(8)?),
            b'(' => self.marks.push(self.stack.len()),
            b'}' => self.push(Pickled::Dict(vec![]))?,
            b']' | b')' | 0x8f => self.push(Pickled::Items(vec![]))?,
            b't' | b'l' => {
                let items = self.marked()?;
                self.push(Pickled::Items(items))?;
            }
            0x85..=0x87 => {
                let mut items = vec![];
                for _ in 0..code - 0x84 {
                    items.push(self.pop()?);
                }
                items.reverse();
                self.push(Pickled::Items(items))?;
            }
            b'q' | b'r' | 0x94 => {
                let key = match code {
                    b'q' => from.number(1)? as u32,
                    b'r' => from.number(4)? as u32,
                    _ => self.memo.len() as u32,
                };
                self.memo.insert(key, self.top()?);
            }
            b'h' | b'j' => {
                let key = from.number(if code == b'h' { 1 } else { 4 })? as u32;
                let id = *self.memo.get(&key).ok_or("it refers to a value that it has not")?;
                self.stack.push(id);
            }
            b'0' => drop(self.pop()?),
            b'1' => drop(self.marked()?),
            b'2' => self.stack.push(self.top()?),
            b'c' => {
                let name = format!("{}.{}", from.line()?, from.line()?);
                self.push(Pickled::Global(name))?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let both = format!("{}.{}", self.text(module).unwrap_or("?"), self.text(name).unwrap_or("?"));
                self.push(Pickled::Global(both))?;
            }
            b'b' => {
                let state = self.pop()?;
                let object = self.top()?;
                if matches!(self.values[object], Pickled::Opaque(_)) {
                    self.states.insert(object, state);
                }
            }
            b'R' | 0x81 => self.reduce()?,
            b'Q' => self.persistent()?,
            b's' | b'u' | b'd' | b'a' | b'e' | 0x90 => self.fill(code)?,
            other => self.literal(other, from)?,
        }
        Ok(())
    }

    fn literal(&mut self, code: u8, from: &mut Bytes<'_>) -> Parsed<()> {
        let value = match code {
            b'N' => Pickled::None,
            0x88 | 0x89 => Pickled::Bool,
            b'J' => Pickled::Int(i64::from(from.number(4)? as u32 as i32)),
            b'K' => Pickled::Int(from.number(1)? as i64),
            b'M' => Pickled::Int(from.number(2)? as i64),
            0x8a | 0x8b => {
                let n = from.number(if code == 0x8a { 1 } else { 4 })? as usize;
                let bytes = from.take(n)?;
                if n > 8 {
                    Pickled::Other
                } else {
                    let sign = if bytes.last().is_some_and(|b| b & 0x80 != 0) { 0xff } else { 0 };
                    let mut all = [sign; 8];
                    all[..n].copy_from_slice(bytes);
                    Pickled::Int(i64::from_le_bytes(all))
                }
            }
            b'G' => {
                from.take(8)?;
                Pickled::Other
            }
            b'X' | 0x8c | 0x8d | b'U' | b'T' => {
                let n = from.number(match code {
                    0x8c | b'U' => 1,
                    0x8d => 8,
                    _ => 4,
                })?;
                Pickled::Text(
                    String::from_utf8_lossy(from.take(usize::try_from(n).map_err(|e| e.to_string())?)?).into_owned(),
                )
            }
            b'B' | b'C' => {
                let n = from.number(if code == b'C' { 1 } else { 4 })?;
                from.take(n as usize)?;
                Pickled::Other
            }
            other => return Err(format!("it has the opcode {other:#04x}, which state dicts do not use")),
        };
        self.push(value)
    }

    /// Puts items into the list, or pairs into the dict, below them.
    fn fill(&mut self, code: u8) -> Parsed<()> {
        let items = match code {
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                vec![key, value]
            }
            b'a' => vec![self.pop()?],
            _ => self.marked()?,
        };
        if code == b'd' {
            self.push(Pickled::Dict(vec![]))?;
        }
        let at = self.top()?;
        match &mut self.values[at] {
            Pickled::Dict(pairs) => pairs.extend(items.chunks_exact(2).map(|p| (p[0], p[1]))),
            Pickled::Items(list) => list.extend(items),
            // An object of an unknown class is filled in vain.
            _ => {}
        }
        Ok(())
    }

    /// What a call would give; only what state dicts are made of is known.
    fn reduce(&mut self) -> Parsed<()> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let Pickled::Global(name) = self.values[function].clone() else {
            return self.push(Pickled::Opaque("a call of something computed".into()));
        };
        let arguments = self.items(arguments).unwrap_or_default().to_vec();
        let value = match name.as_str() {
            "collections.OrderedDict" => Pickled::Dict(self.pairs(&arguments)),
            "torch.Size" => match arguments.first() {
                Some(&id) => self.values[id].clone(),
                None => Pickled::Items(vec![]),
            },
            "torch._utils._rebuild_parameter" => match arguments.first() {
                Some(&id) => self.values[id].clone(),
                None => Pickled::Opaque(name),
            },
            "torch._utils._rebuild_tensor" | "torch._utils._rebuild_tensor_v2" => {
                // What a tensor cannot be made of is told rather than how it would be made.
                let opaque = arguments.iter().find_map(|&id| self.opaque(id)).map(str::to_string);
                self.view(&arguments).map_or(Pickled::Opaque(opaque.unwrap_or(name)), Pickled::Tensor)
            }
            _ => Pickled::Opaque(name),
        };
        self.push(value)
    }

    /// The pairs of a dictionary that is made of a list of them, as Python 2 writes it.
    fn pairs(&self, arguments: &[Id]) -> Vec<(Id, Id)> {
        let list = arguments.first().and_then(|&id| self.items(id)).unwrap_or_default();
        let pair = |&id: &Id| match self.items(id) {
            Some(&[key, value]) => Some((key, value)),
            _ => None,
        };
        list.iter().filter_map(pair).collect()
    }

    /// A tensor of storage, offset, extents and strides.
    fn view(&self, arguments: &[Id]) -> Option<StorageView> {
        let &[storage, offset, size, stride, ..] = arguments else { return None };
        let Pickled::Storage { class, key, elements } = &self.values[storage] else { return None };
        let number = |id: Id| match self.values[id] {
            Pickled::Int(n) => usize::try_from(n).ok(),
            _ => None,
        };
        let list = |id: Id| self.items(id)?.iter().map(|&i| number(i)).collect::<Option<Vec<usize>>>();
        let (size, stride) = (list(size)?, list(stride)?);
        let (storage, class) = (key.clone(), class.clone());
        (size.len() == stride.len()).then_some(StorageView {
            storage,
            class,
            elements: *elements,
            offset: number(offset)?,
            size,
            stride,
        })
    }

    /// A storage that lies elsewhere in the file.
    fn persistent(&mut self) -> Parsed<()> {
        let id = self.pop()?;
        let parts = self.items(id).unwrap_or_default().to_vec();
        let storage = || {
            let &[_, class, key, _, elements, ..] = &parts[..] else { return None };
            let (Pickled::Global(class), Pickled::Int(elements)) = (&self.values[class], &self.values[elements]) else {
                return None;
            };
            let (key, elements) = (self.text(key)?.to_string(), usize::try_from(*elements).ok()?);
            Some(Pickled::Storage { class: class.clone(), key, elements })
        };
        // A network that was saved whole refers to its classes with their source.
        let class = || match parts[..] {
            [kind, class, ..] if self.text(kind) == Some("module") => Some(self.values[class].clone()),
            _ => None,
        };
        let value = storage().or_else(class).ok_or("it refers to something that is no storage")?;
        self.push(value)
    }

    pub fn items(&self, id: Id) -> Option<&[Id]> {
        if let Pickled::Items(items) = &self.values[id] { Some(items) } else { None }
    }

    pub fn text(&self, id: Id) -> Option<&str> {
        if let Pickled::Text(text) = &self.values[id] { Some(text) } else { None }
    }

    pub fn entries(&self, id: Id) -> Option<impl Iterator<Item = (Id, Id)>> {
        if let Pickled::Dict(pairs) = &self.values[id] { Some(pairs.iter().copied()) } else { None }
    }

    pub fn is_dict(&self, id: Id) -> bool {
        matches!(self.values[id], Pickled::Dict(_))
    }

    pub fn tensor(&self, id: Id) -> Option<&StorageView> {
        if let Pickled::Tensor(view) = &self.values[id] { Some(view) } else { None }
    }

    /// What an object of an unknown class was filled with, where that is a dictionary.
    pub fn state(&self, object: Id) -> Option<Id> {
        self.states.get(&object).copied().filter(|&state| self.is_dict(state))
    }

    pub fn opaque(&self, id: Id) -> Option<&str> {
        if let Pickled::Opaque(what) = &self.values[id] { Some(what) } else { None }
    }

    /// The number that a pickle is, of the start of old files.
    pub fn int(&self, id: Id) -> Option<i64> {
        if let Pickled::Int(n) = self.values[id] { Some(n) } else { None }
    }
}

impl Unpickler {
    /// The class of each storage that was named.
    pub fn storages(&self) -> HashMap<String, String> {
        let of = |value: &Pickled| match value {
            Pickled::Storage { class, key, .. } => Some((key.clone(), class.clone())),
            _ => None,
        };
        self.values.iter().filter_map(of).collect()
    }
}
