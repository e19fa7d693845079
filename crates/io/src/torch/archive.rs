//! The two forms of PyTorch's files: a zip archive with a file a storage, and the older one of pickles in a row.

use std::collections::HashMap;

use chiaro_graph::Tensor;
use half::{bf16, f16};

use super::kind;
use super::pickle::{Bytes, Id, StorageView, Unpickler};
use super::zip;

/// What the older form begins with, as a pickle: 0x1950a86a20f9469cfc6c.
const MAGIC: [u8; 14] = [0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// Bytes by which a file of either form is known.
pub(super) const BEGIN: usize = MAGIC.len();

/// Whether a file that begins with these bytes is of either form.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(&MAGIC)
}

/// An opened file.
pub(super) struct Archive {
    pub machine: Unpickler,
    pub root: Id,
    storages: HashMap<String, Vec<u8>>,
}

type Opened<T> = Result<T, String>;

/// Opens either form.
pub(super) fn open(bytes: &[u8]) -> Opened<Archive> {
    if bytes.starts_with(b"PK") {
        return zip(bytes);
    }
    if bytes.starts_with(&MAGIC) {
        return legacy(bytes);
    }
    Err(kind::other_than_torch(bytes))
}

fn zip(bytes: &[u8]) -> Opened<Archive> {
    let entries = zip::entries(bytes)?;
    let pickle =
        entries.iter().find(|(name, _)| name.ends_with("/data.pkl")).ok_or_else(|| kind::other_archive(&entries))?;
    let folder = pickle.0.strip_suffix("data.pkl").unwrap_or_default();
    let mut machine = Unpickler::default();
    let root = machine.run(&mut Bytes::new(pickle.1))?;
    let data = format!("{folder}data/");
    let storage = |(name, content): &(String, &[u8])| Some((name.strip_prefix(&data)?.to_string(), content.to_vec()));
    let storages = entries.iter().filter_map(storage).collect();
    Ok(Archive { machine, root, storages })
}

fn legacy(bytes: &[u8]) -> Opened<Archive> {
    let mut from = Bytes::new(bytes);
    let mut head = Unpickler::default();
    head.run(&mut from)?;
    let version = head.run(&mut from)?;
    if head.int(version) != Some(1001) {
        return Err("it is of a version of the older form that is not known".into());
    }
    head.run(&mut from)?;
    let mut machine = Unpickler::default();
    let root = machine.run(&mut from)?;
    let mut keys = Unpickler::default();
    let list = keys.run(&mut from)?;
    let sizes = machine.storages();
    let mut storages = HashMap::new();
    for &key in keys.items(list).ok_or("it has no list of storages")? {
        let key = keys.text(key).ok_or("the key of a storage is no text")?;
        let elements = usize::try_from(from.number(8)?).map_err(|e| e.to_string())?;
        let width = sizes.get(key).map_or(Ok(4), |class| width(class))?;
        let n = elements.checked_mul(width).ok_or("a storage is too large")?;
        storages.insert(key.to_string(), from.take(n)?.to_vec());
    }
    Ok(Archive { machine, root, storages })
}

/// Bytes of an element of a storage's class.
fn width(class: &str) -> Opened<usize> {
    Ok(match class.rsplit('.').next().unwrap_or_default() {
        "DoubleStorage" | "LongStorage" => 8,
        "FloatStorage" | "IntStorage" => 4,
        "HalfStorage" | "BFloat16Storage" | "ShortStorage" => 2,
        "ByteStorage" | "CharStorage" | "BoolStorage" => 1,
        other => return Err(format!("it has a {other}, which is not read")),
    })
}

impl Archive {
    /// The elements of a view as floats, in its own order.
    pub fn tensor(&self, view: &StorageView) -> Opened<Tensor> {
        let storage = self.storages.get(&view.storage).ok_or("has no storage in the file")?;
        let width = width(&view.class)?;
        let elements = storage.len() / width;
        if elements < view.elements {
            return Err(format!("has a storage of {elements} elements instead of {}", view.elements));
        }
        let n = view.size.iter().try_fold(1usize, |n, &s| n.checked_mul(s)).filter(|&n| n <= elements);
        let n = n.ok_or_else(|| format!("of {:?} has more elements than its storage", view.size))?;
        let reach = view
            .size
            .iter()
            .zip(&view.stride)
            .try_fold(view.offset, |at, (&s, &step)| at.checked_add(s.saturating_sub(1).checked_mul(step)?));
        if n > 0 && reach.is_none_or(|last| last >= elements) {
            return Err(format!("of {:?} lies beyond its storage", view.size));
        }
        let mut values = Vec::with_capacity(n);
        let mut place = vec![0; view.size.len()];
        for _ in 0..n {
            let at = view.offset + place.iter().zip(&view.stride).map(|(i, s)| i * s).sum::<usize>();
            values.push(float(&view.class, &storage[at * width..(at + 1) * width]));
            for axis in (0..place.len()).rev() {
                place[axis] += 1;
                if place[axis] < view.size[axis] {
                    break;
                }
                place[axis] = 0;
            }
        }
        Tensor::f32(view.size.clone(), values).ok_or_else(|| "has extents that differ from its elements".into())
    }
}

/// An element as a float.
fn float(class: &str, b: &[u8]) -> f32 {
    let eight = || [b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]];
    match class.rsplit('.').next().unwrap_or_default() {
        "DoubleStorage" => f64::from_le_bytes(eight()) as f32,
        "LongStorage" => i64::from_le_bytes(eight()) as f32,
        "FloatStorage" => f32::from_le_bytes([b[0], b[1], b[2], b[3]]),
        "IntStorage" => i32::from_le_bytes([b[0], b[1], b[2], b[3]]) as f32,
        "HalfStorage" => f16::from_le_bytes([b[0], b[1]]).to_f32(),
        "BFloat16Storage" => bf16::from_le_bytes([b[0], b[1]]).to_f32(),
        "ShortStorage" => f32::from(i16::from_le_bytes([b[0], b[1]])),
        "CharStorage" => f32::from(b[0] as i8),
        _ => f32::from(b[0]),
    }
}
