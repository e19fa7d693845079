//! A model file in memory: read, sorted, and asked for ops that are not known.

use std::collections::{HashMap, HashSet};
use std::path::{Component, Path};

use bytes::Bytes;
use prost::Message;

use crate::call::{takes, told};
use crate::error::{OnnxError, Result};
use crate::host::Elem;
use crate::ops;
use crate::proto::{GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, tensor_proto::DataLocation};

/// The versions of `ai.onnx` that are read.
const OPSETS: std::ops::RangeInclusive<i64> = 6..=26;

/// What nodes may make before a model runs, in sizes of its file: with the file and its weights as floats some 10 of them are in memory.
/// Folding frees what no later node takes, so that four copies of all weights at once are more than any file has been seen to ask for.
const TIMES: usize = 8;

/// So many bytes any file may make, however small: masks and tables of positions are told by a few nodes (a mask of 1024 x 1024 takes
/// 8 MB), and a model whose weights were taken out is small beside what it was.
const ROOM: usize = 16 << 20;

/// An ONNX model whose nodes are in an order in which they can be computed, and whose ops are all known.
#[derive(Clone, Debug)]
pub struct OnnxModel {
    /// What the file says, but for its graph.
    rest: ModelProto,
    graph: GraphProto,
    /// Version of `ai.onnx`.
    pub(crate) opset: i64,
    /// Bytes that the host may make before the model runs.
    pub(crate) room: usize,
}

impl OnnxModel {
    /// Reads a file, and the files with its tensors that lie in its folder.
    ///
    /// # Errors
    /// If a file cannot be read, is no model, or has ops or versions that are not supported: all of them are named.
    pub fn read(path: &Path) -> Result<OnnxModel> {
        let failed = |cause| OnnxError::File { path: path.to_path_buf(), cause };
        if !std::fs::metadata(path).map_err(failed)?.is_file() {
            return Err(failed(std::io::Error::other("it is no file")));
        }
        let bytes = Bytes::from(std::fs::read(path).map_err(failed)?);
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        OnnxModel::parse(bytes, Some(folder))
    }

    /// A model from a file's bytes, which its tensors share; `folder` is where files with tensors may lie.
    ///
    /// # Errors
    /// Those of [`OnnxModel::read`].
    pub fn parse(bytes: Bytes, folder: Option<&Path>) -> Result<OnnxModel> {
        if bytes.is_empty() {
            return Err(OnnxError::Format("it is empty".into()));
        }
        let what = other_than_onnx(&bytes);
        let failed = |cause: prost::DecodeError| match what {
            Some(what) => OnnxError::Format(what),
            None => OnnxError::Format(format!("it is damaged, not whole, or of another kind ({cause})")),
        };
        let proto = ModelProto::decode(bytes).map_err(failed)?;
        OnnxModel::of(proto, folder)
    }

    /// A model of what a file says.
    pub(crate) fn of(mut proto: ModelProto, folder: Option<&Path>) -> Result<OnnxModel> {
        let version = proto.opset_import.iter().find(|o| is_own(o.domain())).map(|o| o.version());
        // A model without one has no op of ai.onnx.
        let opset = version.unwrap_or(*OPSETS.end());
        if !OPSETS.contains(&opset) {
            let (from, to) = (OPSETS.start(), OPSETS.end());
            return Err(OnnxError::Format(format!("it is of ai.onnx {opset}; {from} to {to} are supported")));
        }
        let mut graph = proto.graph.take().ok_or_else(|| OnnxError::Format("it has no graph".into()))?;
        check_ops(&graph, opset, &proto.opset_import)?;
        load_all(&mut graph, folder)?;
        sort(&mut graph)?;
        let room = ROOM.max(graph.encoded_len().saturating_mul(TIMES));
        Ok(OnnxModel { rest: proto, graph, opset, room })
    }

    pub(crate) fn graph(&self) -> &GraphProto {
        &self.graph
    }

    /// The whole of what the file says, with this graph.
    pub(crate) fn with_graph(&self, graph: GraphProto) -> ModelProto {
        ModelProto { graph: Some(graph), ..self.rest.clone() }
    }

    /// Names of the inputs that are not initializers.
    pub fn inputs(&self) -> Vec<&str> {
        let graph = self.graph();
        let fixed: HashSet<&str> = graph.initializer.iter().map(TensorProto::name).collect();
        graph.input.iter().map(|i| i.name()).filter(|name| !fixed.contains(name)).collect()
    }

    /// Names of the outputs.
    pub fn outputs(&self) -> Vec<&str> {
        self.graph().output.iter().map(|o| o.name()).collect()
    }

    /// An entry of the model's metadata.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.rest.metadata_props.iter().find(|p| p.key() == key).map(|p| p.value())
    }

    /// Whether the metadata says that blue comes first.
    pub fn is_bgr(&self) -> bool {
        self.metadata("color").is_some_and(|order| order.eq_ignore_ascii_case("bgr"))
    }

    /// Element type of an input.
    ///
    /// # Errors
    /// If there is no such input, or its type is not supported.
    pub fn elem(&self, input: &str) -> Result<Elem> {
        let missing = || OnnxError::Format(format!("the input {input:?} declares no type"));
        let info = self.graph().input.iter().find(|i| i.name() == input).ok_or_else(missing)?;
        match info.r#type.as_ref().and_then(|t| t.value.as_ref()) {
            Some(crate::proto::type_proto::Value::TensorType(tensor)) => Elem::from_onnx(tensor.elem_type()),
            _ => Err(missing()),
        }
    }

    /// Extents that the file declares for an input; `None` for those that are open.
    ///
    /// # Errors
    /// If there is no such input, or it declares none.
    pub fn declared(&self, input: &str) -> Result<Vec<Option<usize>>> {
        let missing = || OnnxError::Format(format!("the input {input:?} declares no extents"));
        let info = self.graph().input.iter().find(|i| i.name() == input).ok_or_else(missing)?;
        let kind = info.r#type.as_ref().and_then(|t| t.value.as_ref()).ok_or_else(missing)?;
        let crate::proto::type_proto::Value::TensorType(tensor) = kind else { return Err(missing()) };
        use crate::proto::tensor_shape_proto::dimension::Value;
        let extent = |value: &Option<Value>| match value {
            Some(Value::DimValue(n)) => usize::try_from(*n).ok().filter(|&n| n > 0),
            Some(Value::DimParam(_)) | None => None,
        };
        Ok(tensor.shape.as_ref().ok_or_else(missing)?.dim.iter().map(|d| extent(&d.value)).collect())
    }
}

/// What files are that have the ending of a model and are none, by their first bytes.
fn other_than_onnx(bytes: &[u8]) -> Option<String> {
    const SHOWN: usize = 30;
    let begins = |with: &[u8]| bytes.starts_with(with);
    let what = if begins(b"version https://git-lfs") {
        "it is a pointer of Git LFS in the place of the file: fetch that with `git lfs pull`".to_string()
    } else if bytes.get(4..8) == Some(b"ORTM") {
        "it is in onnxruntime's own format: take the ONNX file that it was made of".to_string()
    } else if bytes.get(4..8) == Some(b"TFL3") {
        "it is of TensorFlow Lite: `python -m tf2onnx.convert --tflite FILE --output FILE.onnx` makes ONNX of it"
            .to_string()
    } else {
        let start = std::str::from_utf8(&bytes[..bytes.len().min(SHOWN)]).ok()?;
        let is_text = !start.chars().any(|c| c.is_control() && !c.is_whitespace());
        return is_text.then(|| format!("it is a text, which begins with {:?}", start.trim()));
    };
    Some(what)
}

fn is_own(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

/// Refuses a graph with ops that are not known; each is told once, with the first node of it.
fn check_ops(graph: &GraphProto, opset: i64, imported: &[OperatorSetIdProto]) -> Result<()> {
    let mut seen = HashSet::new();
    let mut unknown = vec![];
    for node in &graph.node {
        let key = (node.domain().to_string(), node.op_type().to_string());
        if !ops::is_known(node) && seen.insert(key) {
            let version = imported.iter().find(|o| o.domain() == node.domain()).map(|o| o.version());
            let (domain, version) =
                if is_own(node.domain()) { ("ai.onnx", Some(opset)) } else { (node.domain(), version) };
            let version = version.map_or(String::new(), |version| format!(" {version}"));
            unknown.push(format!("{} ({domain}{version})", told(node)));
        }
    }
    if unknown.is_empty() { Ok(()) } else { Err(OnnxError::Unsupported(unknown)) }
}

/// Reads what lies in other files, of a graph and of the branches in it.
fn load_all(graph: &mut GraphProto, folder: Option<&Path>) -> Result<()> {
    for tensor in &mut graph.initializer {
        load_external(tensor, folder)?;
    }
    for inner in graph.node.iter_mut().flat_map(|n| &mut n.attribute).filter_map(|a| a.g.as_mut()) {
        load_all(inner, folder)?;
    }
    Ok(())
}

/// Reads the bytes of a tensor that lie in another file of the model's folder.
fn load_external(tensor: &mut TensorProto, folder: Option<&Path>) -> Result<()> {
    if tensor.data_location() != DataLocation::External {
        return Ok(());
    }
    let entry = |key: &str| tensor.external_data.iter().find(|e| e.key() == key).map(|e| e.value().to_string());
    let fault = |detail: &str| OnnxError::Format(format!("the tensor {:?} {detail}", tensor.name()));
    let location = entry("location").ok_or_else(|| fault("lies in a file that is not named"))?;
    let inside = Path::new(&location).components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    let folder = folder.filter(|_| inside).ok_or_else(|| fault("lies in a file outside of the model's folder"))?;
    let path = folder.join(&location);
    let failed = |cause: std::io::Error| match cause.kind() {
        std::io::ErrorKind::NotFound => fault(&format!(
            "lies in the file {location:?}, which is not there: it belongs into the folder of the model"
        )),
        _ => OnnxError::File { path: path.clone(), cause },
    };
    let (whole, home) = (path.canonicalize().map_err(failed)?, folder.canonicalize().map_err(failed)?);
    if !whole.starts_with(&home) || !whole.is_file() {
        return Err(fault("lies in a file outside of the model's folder"));
    }
    let number = |key: &str| entry(key).map(|n| n.parse::<u64>().map_err(|_| fault(&format!("has {key} {n:?}"))));
    let offset = number("offset").transpose()?.unwrap_or(0);
    let size = std::fs::metadata(&whole).map_err(failed)?.len();
    let length = number("length").transpose()?.unwrap_or(size.saturating_sub(offset));
    if offset.checked_add(length).is_none_or(|end| end > size) {
        return Err(fault("lies beyond the end of its file"));
    }
    use std::io::{Read, Seek, SeekFrom};
    let mut file = std::fs::File::open(&whole).map_err(failed)?;
    file.seek(SeekFrom::Start(offset)).map_err(failed)?;
    let mut bytes = vec![0; length as usize];
    file.read_exact(&mut bytes).map_err(failed)?;
    tensor.raw_data = Some(bytes.into());
    tensor.data_location = None;
    tensor.external_data.clear();
    Ok(())
}

/// Puts every node behind those whose results it takes; files need not be so.
fn sort(graph: &mut GraphProto) -> Result<()> {
    let mut maker: HashMap<&str, usize> = HashMap::new();
    for (i, node) in graph.node.iter().enumerate() {
        for name in node.output.iter().filter(|name| !name.is_empty()) {
            if maker.insert(name, i).is_some() {
                return Err(OnnxError::Format(format!("two nodes compute {name:?}")));
            }
        }
    }
    let needs =
        |node: &NodeProto| -> Vec<usize> { takes(node).into_iter().filter_map(|i| maker.get(i).copied()).collect() };
    let needed: Vec<Vec<usize>> = graph.node.iter().map(needs).collect();
    let mut missing: Vec<usize> = needed.iter().map(Vec::len).collect();
    let mut users = vec![vec![]; needed.len()];
    for (i, list) in needed.iter().enumerate() {
        list.iter().for_each(|&from| users[from].push(i));
    }
    let mut ready: std::collections::BTreeSet<usize> = (0..missing.len()).filter(|&i| missing[i] == 0).collect();
    let mut order = vec![];
    while let Some(i) = ready.pop_first() {
        order.push(i);
        for &user in &users[i] {
            missing[user] -= 1;
            if missing[user] == 0 {
                ready.insert(user);
            }
        }
    }
    if order.len() != graph.node.len() {
        return Err(OnnxError::Format("its nodes need each other in a circle".into()));
    }
    let mut nodes: Vec<Option<NodeProto>> = std::mem::take(&mut graph.node).into_iter().map(Some).collect();
    graph.node = order.into_iter().filter_map(|i| nodes[i].take()).collect();
    Ok(())
}
