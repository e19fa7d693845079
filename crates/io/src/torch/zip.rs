//! The entries of a zip archive as PyTorch writes it: nothing is packed, so that each is a piece of the file.

/// Signatures of the end of the directory, of its 64-bit form and that one's place, of an entry there, and of an entry itself.
const END: &[u8] = b"PK\x05\x06";
const END_64: &[u8] = b"PK\x06\x06";
const PLACE_64: &[u8] = b"PK\x06\x07";
const LISTED: &[u8] = b"PK\x01\x02";
const ENTRY: &[u8] = b"PK\x03\x04";

/// A whole number of up to 8 bytes at a place, least first.
fn number(bytes: &[u8], at: usize, width: usize) -> Option<usize> {
    let part = bytes.get(at..at.checked_add(width)?)?;
    usize::try_from(part.iter().rev().fold(0u64, |n, &b| n << 8 | u64::from(b))).ok()
}

fn is_at(bytes: &[u8], at: usize, signature: &[u8]) -> bool {
    bytes.get(at..).is_some_and(|rest| rest.starts_with(signature))
}

/// Number of entries and place of the directory.
fn directory(bytes: &[u8]) -> Option<(usize, usize)> {
    // The end may have a comment of up to 64 KiB behind it.
    let last = bytes.len().checked_sub(22)?;
    let end = (last.saturating_sub(1 << 16)..=last).rev().find(|&at| is_at(bytes, at, END))?;
    let before = end.checked_sub(20).filter(|&at| is_at(bytes, at, PLACE_64));
    match before.and_then(|at| number(bytes, at + 8, 8)).filter(|&at| is_at(bytes, at, END_64)) {
        Some(at) => Some((number(bytes, at + 32, 8)?, number(bytes, at + 48, 8)?)),
        None => Some((number(bytes, end + 10, 2)?, number(bytes, end + 16, 4)?)),
    }
}

/// The 64-bit numbers of an entry, where 32 bits did not do: of sizes and place those that are all ones.
fn wide(extra: &[u8], mut own: [usize; 3]) -> Option<[usize; 3]> {
    let mut at = 0;
    while let (Some(kind), Some(len)) = (number(extra, at, 2), number(extra, at + 2, 2)) {
        if kind == 1 {
            let mut place = at + 4;
            for value in own.iter_mut().filter(|v| **v == 0xffff_ffff) {
                *value = number(extra, place, 8)?;
                place += 8;
            }
        }
        at += 4 + len;
    }
    Some(own)
}

/// Names and contents of all entries; of compressed ones that hold no tensors nothing but the name.
pub(super) fn entries(bytes: &[u8]) -> Result<Vec<(String, &[u8])>, String> {
    let damaged = || "its archive is damaged".to_string();
    let (count, mut at) = directory(bytes).ok_or_else(damaged)?;
    let mut found = vec![];
    let mut total = 0;
    for _ in 0..count {
        if !is_at(bytes, at, LISTED) {
            return Err(damaged());
        }
        let get = |offset: usize, width: usize| number(bytes, at + offset, width).ok_or_else(damaged);
        let (packing, name, extra, comment) = (get(10, 2)?, get(28, 2)?, get(30, 2)?, get(32, 2)?);
        let sizes = [get(24, 4)?, get(20, 4)?, get(42, 4)?];
        let fields = bytes.get(at + 46..at + 46 + name + extra).ok_or_else(damaged)?;
        let [size, packed, start] = wide(&fields[name..], sizes).ok_or_else(damaged)?;
        let text = String::from_utf8_lossy(&fields[..name]).into_owned();
        if packing != 0 || size != packed {
            // Of a network of TorchScript the source is, and is not read.
            if text.ends_with("/data.pkl") || text.contains("/data/") {
                return Err(format!("its {text} is compressed, as PyTorch does not"));
            }
            found.push((text, &[][..]));
            at += 46 + name + extra + comment;
            continue;
        }
        if !is_at(bytes, start, ENTRY) {
            return Err(damaged());
        }
        let lengths = [26, 28].map(|offset| number(bytes, start + offset, 2));
        let [Some(own_name), Some(own_extra)] = lengths else { return Err(damaged()) };
        let from = start + 30 + own_name + own_extra;
        let content = from.checked_add(size).and_then(|end| bytes.get(from..end)).ok_or_else(damaged)?;
        total += size;
        if total > bytes.len() {
            return Err("its entries overlap".into());
        }
        found.push((text, content));
        at += 46 + name + extra + comment;
    }
    Ok(found)
}
