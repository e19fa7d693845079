//! NumPy's archives of arrays, as far as files of expected values need: `.npz` with `.npy` of bytes and floats.

use std::collections::BTreeMap;
use std::io::Read;

use chiaro_onnx::Host;

/// The arrays of an archive by their names; bytes too as floats.
pub fn arrays(bytes: &[u8]) -> BTreeMap<String, Host> {
    let mut found = BTreeMap::new();
    let mut at = 0;
    while bytes[at..].starts_with(b"PK\x03\x04") {
        let number =
            |from: usize, n: usize| (0..n).fold(0usize, |sum, i| sum | usize::from(bytes[at + from + i]) << (8 * i));
        let (method, name, extra) = (number(8, 2), number(26, 2), number(28, 2));
        // NumPy writes sizes of 64 bits into the field behind the name: plain, then packed.
        let wide = number(18, 4) == 0xffff_ffff;
        let packed = if wide { number(30 + name + 12, 8) } else { number(18, 4) };
        let text = String::from_utf8_lossy(&bytes[at + 30..at + 30 + name]).into_owned();
        let start = at + 30 + name + extra;
        let content = &bytes[start..start + packed];
        let mut whole = vec![];
        match method {
            0 => whole.extend(content),
            _ => drop(flate2::read::DeflateDecoder::new(content).read_to_end(&mut whole).expect("packed")),
        }
        found.extend(array(&whole).map(|host| (text.trim_end_matches(".npy").to_string(), host)));
        at = start + packed;
    }
    found
}

/// An array of bytes or floats; others are none.
fn array(bytes: &[u8]) -> Option<Host> {
    let head = usize::from(bytes[8]) + (usize::from(bytes[9]) << 8);
    let (words, content) = (String::from_utf8_lossy(&bytes[10..10 + head]).into_owned(), &bytes[10 + head..]);
    let shape = words.split_once("'shape': (")?.1.split_once(')')?.0;
    let shape: Vec<usize> = shape.split(',').filter_map(|n| n.trim().parse().ok()).collect();
    let values = match words.split("'descr': '").nth(1)?.split('\'').next()? {
        "|u1" => content.iter().map(|&b| f32::from(b)).collect(),
        "<f4" => content.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
        _ => return None,
    };
    Some(Host::floats(&shape, values))
}
