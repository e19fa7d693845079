//! What a file is by its first bytes, whatever its name says.

/// What begins an image file, or one that was taken for an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Jpeg,
    Png,
    WebP,
    Bmp,
    Gif,
    Tiff,
    /// A format of images that is not read yet.
    OtherImage(&'static str),
    /// Something that is no image, such as the page that a server sent instead.
    NoImage(&'static str),
    Unknown,
}

/// Bytes at the start of a file that tell its format.
pub(crate) const START: usize = 32;

/// Where the bytes stand, the bytes, and what they tell. The first that fits counts.
const SIGNATURES: [(usize, &[u8], Format); 27] = [
    (0, b"\xFF\xD8\xFF", Format::Jpeg),
    (0, b"\x89PNG\r\n\x1A\n", Format::Png),
    (8, b"WEBP", Format::WebP),
    (0, b"GIF8", Format::Gif),
    (0, b"II*\0", Format::Tiff),
    (0, b"MM\0*", Format::Tiff),
    (4, b"ftypavi", Format::OtherImage("AVIF")),
    (4, b"ftyphei", Format::OtherImage("HEIC")),
    (4, b"ftyphev", Format::OtherImage("HEIC")),
    (4, b"ftypmif1", Format::OtherImage("HEIF")),
    (0, b"\xFF\x0A", Format::OtherImage("JPEG XL")),
    (0, b"\0\0\0\x0CJXL ", Format::OtherImage("JPEG XL")),
    (0, b"\0\0\0\x0CjP  ", Format::OtherImage("JPEG 2000")),
    (0, b"qoif", Format::OtherImage("QOI")),
    (0, b"8BPS", Format::OtherImage("a Photoshop document")),
    (0, b"P5\n", Format::OtherImage("PGM")),
    (0, b"P6\n", Format::OtherImage("PPM")),
    (0, b"\0\0\x01\0", Format::OtherImage("an icon (ICO)")),
    (0, b"<svg", Format::OtherImage("SVG")),
    (0, b"<?xml", Format::NoImage("XML")),
    (0, b"<!DOCTYPE", Format::NoImage("a web page (HTML)")),
    (0, b"<!doctype", Format::NoImage("a web page (HTML)")),
    (0, b"<html", Format::NoImage("a web page (HTML)")),
    (0, b"%PDF", Format::NoImage("PDF")),
    (0, b"version https://git-lfs", Format::NoImage("a pointer of Git LFS (`git lfs pull` gets the file)")),
    (0, b"PK\x03\x04", Format::NoImage("a zip archive")),
    (4, b"ftyp", Format::NoImage("a film")),
];

impl Format {
    /// The format by the first bytes of a file, of which [`START`] will do.
    pub(crate) fn of(start: &[u8]) -> Format {
        // Two letters are little to go by: a bitmap also has four bytes of zeros behind its size.
        if start.starts_with(b"BM") && start.get(6..10) == Some(&[0; 4]) {
            return Format::Bmp;
        }
        let fits = |at: usize, bytes: &[u8]| start.get(at..).is_some_and(|rest| rest.starts_with(bytes));
        let found = SIGNATURES.iter().find(|(at, bytes, _)| fits(*at, bytes));
        match found {
            Some((_, _, format)) => *format,
            None if !start.is_empty() && start.iter().all(|&byte| byte == 0) => Format::NoImage("nothing but zeros"),
            None => Format::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_content() {
        let cases: [(&[u8], Format); 8] = [
            (b"RIFF\x10\0\0\0WEBPVP8 ", Format::WebP),
            (b"BM\x46\0\0\0\0\0\0\0\x36", Format::Bmp),
            (b"BMW drives on", Format::Unknown),
            (b"\0\0\0\x1Cftypavif", Format::OtherImage("AVIF")),
            (b"\0\0\0\x1Cftypisom", Format::NoImage("a film")),
            (b"\xFF\xD8\xFF\xE0", Format::Jpeg),
            (&[0; START], Format::NoImage("nothing but zeros")),
            (b"", Format::Unknown),
        ];
        for (start, format) in cases {
            assert_eq!(Format::of(start), format, "{start:?}");
        }
        assert!(SIGNATURES.iter().all(|(at, bytes, _)| at + bytes.len() <= START));
    }
}
