//! What the tests share: the archive of ONNX' own cases, running one on a backend, and comparing.
#![allow(dead_code, reason = "each test file is a program of its own and uses a part of this")]

pub mod judged;
pub mod mutate;
pub mod npz;
pub mod pictures;
pub mod protos;

use std::collections::BTreeMap;
use std::io::Read;

use bytes::Bytes;
use chiaro_graph::{Backend, Tensor};
use chiaro_onnx::{Elem, Feed, Host, OnnxError, OnnxModel, host, proto::TensorProto, record_graph};
use prost::Message;

/// A case: a model, its inputs and the outputs that it must give.
pub struct Case {
    pub group: String,
    pub name: String,
    pub model: Vec<u8>,
    pub inputs: Vec<Vec<u8>>,
    pub outputs: Vec<Vec<u8>>,
}

/// The cases of onnx 1.21 (Apache-2.0) in `tests/data`.
pub fn cases() -> Vec<Case> {
    let packed: &[u8] = include_bytes!("../data/cases.tar.gz");
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(packed));
    let mut files: BTreeMap<(String, String), BTreeMap<String, Vec<u8>>> = BTreeMap::new();
    for entry in archive.entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        let path = entry.path().expect("a path").to_string_lossy().into_owned();
        let mut parts = path.splitn(3, '/').map(str::to_string);
        let (group, name, file) = (parts.next(), parts.next(), parts.next());
        let mut bytes = vec![];
        entry.read_to_end(&mut bytes).expect("bytes");
        let key = (group.expect("a group"), name.expect("a name"));
        files.entry(key).or_default().insert(file.expect("a file"), bytes);
    }
    let numbered = |files: &BTreeMap<String, Vec<u8>>, what: &str| -> Vec<Vec<u8>> {
        (0..).map_while(|i| files.get(&format!("test_data_set_0/{what}_{i}.pb")).cloned()).collect()
    };
    let case = |((group, name), mut files): ((String, String), BTreeMap<String, Vec<u8>>)| Case {
        group,
        name,
        inputs: numbered(&files, "input"),
        outputs: numbered(&files, "output"),
        model: files.remove("model.onnx").expect("a model"),
    };
    files.into_iter().map(case).collect()
}

/// A network of onnx 1.21's `light` folder, whose weights are all made by ConstantOfShape, and its output.
pub struct Light {
    pub name: String,
    pub model: Vec<u8>,
    pub output: Vec<u8>,
}

/// All of them, from `tests/data` (Apache-2.0).
pub fn light() -> Vec<Light> {
    let packed: &[u8] = include_bytes!("../data/light.tar.gz");
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(packed));
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for entry in archive.entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        let path = entry.path().expect("a path").to_string_lossy().into_owned();
        let mut bytes = vec![];
        entry.read_to_end(&mut bytes).expect("bytes");
        files.insert(path.trim_start_matches("light/").to_string(), bytes);
    }
    let names: Vec<String> = files.keys().filter_map(|f| f.strip_suffix(".onnx")).map(str::to_string).collect();
    let light = |name: String| {
        let mut take = |ending: &str| files.remove(&format!("{name}{ending}")).expect("a file");
        Light { model: take(".onnx"), output: take("_output_0.pb"), name: name.clone() }
    };
    names.into_iter().map(light).collect()
}

/// A tensor of a `.pb` file.
pub fn tensor(bytes: &[u8]) -> Result<Host, OnnxError> {
    host(&TensorProto::decode(Bytes::copy_from_slice(bytes)).expect("a tensor"))
}

/// Runs a model; inputs that must be known before are given as such, all others to the device.
pub fn run(model: &OnnxModel, inputs: &[Host], backend: &mut dyn Backend) -> Result<Vec<Host>, String> {
    let names: Vec<String> = model.inputs().into_iter().map(str::to_string).collect();
    let given: BTreeMap<String, Host> = names.iter().cloned().zip(inputs.iter().cloned()).collect();
    let feed = |host: &Host| {
        let device = Feed::Input { shape: host.shape.clone(), elem: host.elem };
        if host.is_empty() { Feed::Known(host.clone()) } else { device }
    };
    let mut feeds: BTreeMap<String, Feed> = given.iter().map(|(name, host)| (name.clone(), feed(host))).collect();
    let (graph, known) = loop {
        match record_graph(model, &feeds) {
            Ok(made) => break made,
            Err(OnnxError::NotFixed { what, .. }) if matches!(feeds.get(&what), Some(Feed::Input { .. })) => {
                feeds.insert(what.clone(), Feed::Known(given[&what].clone()));
            }
            Err(other) => return Err(other.to_string()),
        }
    };
    let tensors: Vec<Tensor> = graph
        .inputs()
        .iter()
        .map(|input| given[&input.name].to_tensor().map_err(|e| e.to_string()))
        .collect::<Result<_, _>>()?;
    let mut found: BTreeMap<String, Host> = known.into_iter().collect();
    if !graph.outputs().is_empty() {
        let plan = backend.compile(&graph).map_err(|e| e.to_string())?;
        backend.run(plan, &tensors).map_err(|e| e.to_string())?;
        for (i, (name, _)) in graph.outputs().iter().enumerate() {
            let tensor = backend.read(plan, i).map_err(|e| e.to_string())?;
            found.insert(name.clone(), of_tensor(&tensor));
        }
        backend.release_plan(plan).map_err(|e| e.to_string())?;
    }
    Ok(model.outputs().iter().filter_map(|name| found.remove(*name)).collect())
}

fn of_tensor(tensor: &Tensor) -> Host {
    let values = tensor.to_f64();
    match Elem::of_graph(tensor.dtype()) {
        Elem::F32 | Elem::F16 => Host::floats(tensor.shape(), values.iter().map(|&v| v as f32).collect()),
        elem => Host { elem, ..Host::ints(tensor.shape(), values.iter().map(|&v| v as i64).collect()) },
    }
}

/// How two tensors differ by ONNX' own measure, if they do: 1e-3 of the value and 1e-7.
pub fn difference(found: &Host, wanted: &Host) -> Option<String> {
    if found.shape != wanted.shape {
        return Some(format!("extents {:?} instead of {:?}", found.shape, wanted.shape));
    }
    if found.elem.is_float() != wanted.elem.is_float() {
        return Some(format!("{:?} instead of {:?}", found.elem, wanted.elem));
    }
    if !wanted.elem.is_float() {
        let (found, wanted) = (found.to_ints().expect("known"), wanted.to_ints().expect("known"));
        let wrong = found.iter().zip(&wanted).position(|(a, b)| a != b)?;
        return Some(format!("{} instead of {} at {wrong}", found[wrong], wanted[wrong]));
    }
    let (found, wanted) = (found.to_floats().expect("known"), wanted.to_floats().expect("known"));
    let differs = |(a, b): (&f32, &f32)| {
        let same = a == b || (a.is_nan() && b.is_nan());
        let near = (f64::from(*a) - f64::from(*b)).abs() <= 1e-7 + 1e-3 * f64::from(b.abs());
        !same && !near
    };
    let wrong = found.iter().zip(&wanted).position(differs)?;
    Some(format!("{} instead of {} at {wrong}", found[wrong], wanted[wrong]))
}

/// Why a case fails, or nothing.
pub fn judge(case: &Case, backend: &mut dyn Backend) -> Option<String> {
    let mut judged = || -> Result<Option<String>, String> {
        let model = OnnxModel::parse(Bytes::copy_from_slice(&case.model), None).map_err(|e| e.to_string())?;
        let tensors = |all: &[Vec<u8>]| all.iter().map(|b| tensor(b)).collect::<Result<Vec<_>, _>>();
        let inputs = tensors(&case.inputs).map_err(|e| e.to_string())?;
        let wanted = tensors(&case.outputs).map_err(|e| e.to_string())?;
        let found = run(&model, &inputs, backend)?;
        if found.len() != wanted.len() {
            return Ok(Some(format!("{} outputs instead of {}", found.len(), wanted.len())));
        }
        Ok(found.iter().zip(&wanted).find_map(|(f, w)| difference(f, w)))
    };
    judged().unwrap_or_else(Some)
}
