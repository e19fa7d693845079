//! Small PyTorch files of the older form, written for tests.

/// What a file may hold.
#[derive(Clone)]
pub enum Value {
    Dict(Vec<(String, Value)>),
    /// Extents and elements.
    Tensor(Vec<usize>, Vec<f32>),
    /// A call of a function, by module and name.
    Call(&'static str, &'static str),
    None,
}

/// A dictionary.
pub fn dict<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Dict(entries.into_iter().map(|(name, value)| (name.to_string(), value)).collect())
}

/// A vector of two equal elements.
pub fn pair(value: f32) -> Value {
    Value::Tensor(vec![2], vec![value; 2])
}

/// A file whose outermost value this is.
pub fn file(value: &Value) -> Vec<u8> {
    let mut bytes = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.".to_vec();
    bytes.extend(b"\x80\x02M\xe9\x03.");
    bytes.extend(b"\x80\x02}.");
    let mut storages = vec![];
    bytes.extend(b"\x80\x02");
    pickle(value, &mut bytes, &mut storages);
    bytes.extend(b".\x80\x02](");
    (0..storages.len()).for_each(|key| text(&key.to_string(), &mut bytes));
    bytes.extend(b"e.");
    for storage in storages {
        bytes.extend((storage.len() as u64).to_le_bytes());
        bytes.extend(storage.iter().flat_map(|v| v.to_le_bytes()));
    }
    bytes
}

fn text(text: &str, out: &mut Vec<u8>) {
    out.push(b'X');
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.as_bytes());
}

fn numbers(numbers: &[usize], out: &mut Vec<u8>) {
    out.push(b'(');
    numbers.iter().for_each(|&n| {
        out.push(b'J');
        out.extend((n as u32).to_le_bytes());
    });
    out.push(b't');
}

fn pickle(value: &Value, out: &mut Vec<u8>, storages: &mut Vec<Vec<f32>>) {
    match value {
        Value::None => out.push(b'N'),
        Value::Call(module, name) => out.extend(format!("c{module}\n{name}\n)R").bytes()),
        Value::Dict(entries) => {
            out.extend(b"}(");
            for (name, value) in entries {
                text(name, out);
                pickle(value, out, storages);
            }
            out.push(b'u');
        }
        Value::Tensor(shape, values) => {
            out.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
            text("storage", out);
            out.extend(b"ctorch\nFloatStorage\n");
            text(&storages.len().to_string(), out);
            text("cpu", out);
            out.push(b'J');
            out.extend((values.len() as u32).to_le_bytes());
            out.extend(b"tQK\0");
            numbers(shape, out);
            let strides: Vec<usize> = (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect();
            numbers(&strides, out);
            out.extend(b"\x89}tR");
            storages.push(values.clone());
        }
    }
}
