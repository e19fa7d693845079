//! The files of a tar.gz archive, without its folders.

use std::fs::File;
use std::io;
use std::path::Path;

use flate2::read::GzDecoder;

/// Writes files of these names, wherever they lie in the archive, into a folder; each is whole or not there.
pub(crate) fn unpack(archive: &Path, names: &[&str], folder: &Path) -> io::Result<()> {
    let mut left: Vec<&str> = names.to_vec();
    let mut entries = tar::Archive::new(GzDecoder::new(File::open(archive)?));
    for entry in entries.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let Some(place) = left.iter().position(|wanted| *wanted == name) else { continue };
        let part = folder.join(format!("{name}.part"));
        io::copy(&mut entry, &mut File::create(&part)?)?;
        std::fs::rename(&part, folder.join(name))?;
        left.swap_remove(place);
    }
    match left.as_slice() {
        [] => Ok(()),
        missing => Err(io::Error::other(format!("the archive has no {}", missing.join(", ")))),
    }
}
