//! Reader of golden files: safetensors whose metadata lists the cases.

use super::attrs::Attrs;
use chiaro_graph::{Data, Tensor};
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::path::Path;

/// What can go wrong with a golden file or a case of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GoldenError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is not what its format says.
    #[error("{path}: {detail}")]
    Format {
        /// The file.
        path: String,
        /// What is wrong.
        detail: String,
    },
    /// A case lacks a tensor or an attribute, or has one that this reader does not know.
    #[error("golden case {case}: {detail}")]
    Case {
        /// The case.
        case: String,
        /// What is wrong.
        detail: String,
    },
    /// The graph of a case cannot be built.
    #[error(transparent)]
    Graph(#[from] chiaro_graph::GraphError),
    /// The backend failed.
    #[error(transparent)]
    Backend(#[from] chiaro_graph::BackendError),
}

/// One case: a name, PyTorch's operator, and its arguments.
#[derive(Clone, Debug)]
pub struct GoldenCase {
    /// Name, unique in the file; the case's tensors are named `<name>/<role>`.
    pub name: String,
    /// PyTorch's name of the operator (or optimizer, or `trajectory`).
    pub op: String,
    /// PyTorch's arguments.
    pub attrs: Attrs,
}

/// A golden file: tensors in PyTorch's layouts (f32 or i32), and cases.
#[derive(Clone, Debug)]
pub struct Golden {
    tensors: BTreeMap<String, Tensor>,
    cases: Vec<GoldenCase>,
}

impl Golden {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read or is not of the format.
    pub fn load(path: &Path) -> Result<Golden, GoldenError> {
        let name = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|source| GoldenError::Io { path: name.clone(), source })?;
        Golden::parse(&name, &bytes)
    }

    /// Reads the bytes of a file; `name` stands for it in errors.
    ///
    /// # Errors
    /// If they are not of the format.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Golden, GoldenError> {
        decode_file(bytes).map_err(|detail| GoldenError::Format { path: name.to_string(), detail })
    }

    /// The cases, in the file's order.
    pub fn cases(&self) -> &[GoldenCase] {
        &self.cases
    }

    /// A tensor by its full name, such as `small/input`.
    pub fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// A tensor of a case.
    ///
    /// # Errors
    /// If the file has none.
    pub fn role(&self, case: &GoldenCase, role: &str) -> Result<&Tensor, GoldenError> {
        let missing = || GoldenError::Case { case: case.name.clone(), detail: format!("no tensor {role}") };
        self.tensor(&format!("{}/{role}", case.name)).ok_or_else(missing)
    }

    /// Roles and tensors of a prefix such as a case's name, sorted by role.
    pub fn under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Tensor)> {
        let strip = move |name: &'a String| name.strip_prefix(prefix)?.strip_prefix('/');
        self.tensors.iter().filter_map(move |(name, t)| Some((strip(name)?, t)))
    }
}

fn decode_file(bytes: &[u8]) -> Result<Golden, String> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| e.to_string())?;
    let listed = header.metadata().as_ref().and_then(|m| m.get("cases")).ok_or("no list of cases")?;
    let listed: Vec<serde_json::Value> = serde_json::from_str(listed).map_err(|e| e.to_string())?;
    let text = |v: &serde_json::Value, key: &str| {
        v[key].as_str().map(str::to_string).ok_or_else(|| format!("a case without {key}"))
    };
    let mut cases = vec![];
    for v in &listed {
        let (name, op) = (text(v, "name")?, text(v, "op")?);
        cases.push(GoldenCase { attrs: Attrs::new(&name, v["attrs"].clone()), name, op });
    }
    let file = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.tensors() {
        let tensor = decode(view.dtype(), view.data())
            .and_then(|data| Tensor::new(view.shape().to_vec(), data))
            .ok_or_else(|| format!("{name} has an unknown type or a wrong size"))?;
        tensors.insert(name, tensor);
    }
    Ok(Golden { tensors, cases })
}

fn decode(dtype: Dtype, bytes: &[u8]) -> Option<Data> {
    let words = bytes.chunks_exact(4).map(|b| [b[0], b[1], b[2], b[3]]);
    match dtype {
        Dtype::F32 => Some(Data::F32(words.map(f32::from_le_bytes).collect())),
        Dtype::I32 => Some(Data::I32(words.map(i32::from_le_bytes).collect())),
        _ => None,
    }
}
