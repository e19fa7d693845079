//! What the name of a model stands for: one of the registry, or a TOML file that describes it.

use std::path::Path;

use chiaro_nn::models::{self, DESCRIBED, NamedModel};

use crate::error::{Result, TrainError};

/// The model of this name; where the name ends in `.toml` that which the file describes. `described` is the file's text, where it was kept:
/// then the file is not looked at.
///
/// # Errors
/// If there is none of the name (the error lists those that exist), the file cannot be read, or it describes none.
pub fn named_model(name: &str, described: Option<&str>) -> Result<NamedModel> {
    match described {
        Some(text) => Ok(NamedModel::described(name, text)?),
        None if name.ends_with(DESCRIBED) => {
            let path = Path::new(name);
            let text = std::fs::read_to_string(path).map_err(|cause| TrainError::read(path, cause))?;
            Ok(NamedModel::described(name, &text)?)
        }
        None => Ok(models::named(name)?),
    }
}
