//! What files are that are given as weights of PyTorch and are none: told by their first bytes, with the way from there to here.

/// How a network of TensorFlow's comes here.
const KERAS: &str = "`python -m tf2onnx.convert --keras FILE --output FILE.onnx` makes ONNX of it";
const LITE: &str = "`python -m tf2onnx.convert --tflite FILE --output FILE.onnx` makes ONNX of it";

/// Bytes of a text that are shown.
const SHOWN: usize = 30;

/// What a file is that begins as neither of PyTorch's forms.
pub(super) fn other_than_torch(bytes: &[u8]) -> String {
    let begins = |with: &[u8]| bytes.starts_with(with);
    if bytes.is_empty() {
        return "it is empty".into();
    }
    if begins(b"version https://git-lfs") {
        return "it is a pointer of Git LFS in the place of the file: fetch that with `git lfs pull`".into();
    }
    if begins(b"\x89HDF") {
        return format!("it is HDF5, as Keras writes it: {KERAS}");
    }
    if bytes.get(4..8) == Some(b"TFL3") {
        return format!("it is of TensorFlow Lite: {LITE}");
    }
    if bytes.get(4..8) == Some(b"ORTM") {
        return "it is in onnxruntime's own format: take the ONNX file that it was made of".into();
    }
    let none = "it is no file of PyTorch's: neither a zip archive nor the older form";
    if begins(&[0x80]) {
        return format!("{none}, but another pickle of Python's, which is not read");
    }
    let start = std::str::from_utf8(&bytes[..bytes.len().min(SHOWN)]).unwrap_or_default().trim();
    let is_text = !start.is_empty() && !start.chars().any(|c| c.is_control() && !c.is_whitespace());
    if is_text { format!("{none}; it begins with {start:?}") } else { none.into() }
}

/// What a zip archive is that has no pickle of tensors.
pub(super) fn other_archive(entries: &[(String, &[u8])]) -> String {
    let has = |name: &str| entries.iter().any(|(entry, _)| entry.ends_with(name));
    if has("model.weights.h5") {
        return format!("it is of Keras: {KERAS}");
    }
    "it is a zip archive, but has no data.pkl, as PyTorch's have".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_others_are_told_with_the_way_to_here() {
        for (bytes, part) in [
            (&b"\x89HDF\r\n"[..], "--keras FILE"),
            (b"\x1c\0\0\0TFL3", "--tflite FILE"),
            (b"\x1c\0\0\0ORTM", "onnxruntime's own"),
            (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
            (b"\x80\x04\x95", "another pickle"),
            (b"<!DOCTYPE html><html>", "begins with \"<!DOCTYPE html>"),
            (b"", "empty"),
        ] {
            let told = other_than_torch(bytes);
            assert!(told.contains(part), "{part:?} is not in {told}");
        }
        assert!(other_archive(&[("model.weights.h5".into(), &b""[..])]).contains("--keras"));
        assert!(other_archive(&[("a.txt".into(), &b""[..])]).contains("no data.pkl"));
    }
}
