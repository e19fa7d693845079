//! Recording a model as graph ops: node by node, what is known on the host stays there.

use std::collections::{HashMap, HashSet};

use chiaro_graph::{Graph, Tensor, Var};

use crate::call::{Call, takes};
use crate::error::{OnnxError, Result};
use crate::fold;
use crate::host::{Elem, Host};
use crate::model::OnnxModel;
use crate::ops;
use crate::proto::{GraphProto, NodeProto, ValueInfoProto};
use crate::sink::Sink;
use crate::tensor;
use crate::value::{Held, Order, Value, channels_last, transposed};

/// What is done to a weight before a kernel takes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Reshape(Vec<usize>),
    Permute(Vec<usize>),
}

/// A model that is being recorded.
pub(crate) struct Recorder<'a> {
    pub sink: &'a mut dyn Sink,
    pub model: &'a OnnxModel,
    env: HashMap<&'a str, Value>,
    /// Names under which weights were taken, by what was done to them.
    names: HashMap<(String, Vec<Step>), String>,
    /// Images that the file was made for and that are given, where it was made for a fixed number.
    pub batch: Option<(usize, usize)>,
    /// Whether floats of 16 bits are taken as such of 32, whose precision is chosen when the model is compiled.
    pub wide: bool,
    /// Bytes that the host may still make.
    room: usize,
    /// Bytes of each value that it made and that is still there.
    made: HashMap<&'a str, usize>,
}

/// The last of these nodes that takes each value; of a model's outputs there is none.
fn last_uses<'a>(nodes: &[&'a NodeProto], outputs: &[ValueInfoProto]) -> HashMap<&'a str, usize> {
    let uses = nodes.iter().enumerate().flat_map(|(at, node)| takes(node).into_iter().map(move |name| (name, at)));
    let mut last: HashMap<&str, usize> = uses.collect();
    for output in outputs {
        last.remove(output.name());
    }
    last
}

impl<'a> Recorder<'a> {
    pub fn new(model: &'a OnnxModel, sink: &'a mut dyn Sink) -> Result<Recorder<'a>> {
        let mut env = HashMap::new();
        for t in &model.graph().initializer {
            env.insert(t.name(), Value::Host(tensor::host(t)?));
        }
        let (names, made) = (HashMap::new(), HashMap::new());
        Ok(Recorder { sink, model, env, names, batch: None, wide: false, room: model.room, made })
    }

    /// Gives an input, or another value for an initializer.
    pub fn give(&mut self, name: &'a str, value: Value) {
        self.env.insert(name, value);
    }

    /// Records all nodes.
    pub fn run(&mut self) -> Result<()> {
        let nodes: Vec<&NodeProto> = self.model.graph().node.iter().collect();
        let last = last_uses(&nodes, &self.model.graph().output);
        self.nodes(nodes, &last)
    }

    /// Records the nodes of a branch that is taken, and gives its outputs. What it takes may be taken again behind it.
    pub fn branch(&mut self, graph: &'a GraphProto) -> Result<Vec<Value>> {
        for t in &graph.initializer {
            self.env.insert(t.name(), Value::Host(tensor::host(t)?));
        }
        self.nodes(graph.node.iter().collect(), &HashMap::new())?;
        graph.output.iter().map(|output| self.find(output.name()).cloned()).collect()
    }

    /// Records the nodes that one value needs.
    pub fn run_to(&mut self, output: &str) -> Result<()> {
        let nodes = &self.model.graph().node;
        let mut wanted: HashSet<&str> = HashSet::from([output]);
        let mut needed = vec![];
        for node in nodes.iter().rev() {
            if node.output.iter().any(|o| wanted.contains(o.as_str())) {
                wanted.extend(takes(node));
                needed.push(node);
            }
        }
        needed.reverse();
        let last = last_uses(&needed, &self.model.graph().output);
        self.nodes(needed, &last)
    }

    /// Records nodes; `last` tells behind which of them a value is of no use.
    fn nodes(&mut self, nodes: Vec<&'a NodeProto>, last: &HashMap<&str, usize>) -> Result<()> {
        for (at, node) in nodes.into_iter().enumerate() {
            let call = Call { proto: node, opset: self.model.opset, room: self.room };
            let told = call.told();
            self.sink.begins(node);
            self.sink.graph().push_scope(&scope_of(&call));
            let results = self.node(&call).map_err(|e| e.at(&told));
            self.sink.graph().pop_scope();
            let results = results?;
            for (name, value) in node.output.iter().zip(results) {
                if let (Value::Device(held), Some(op)) = (&value, ops::find(node.op_type())) {
                    self.sink.made(op.name, name, held.var);
                }
                self.env.insert(name, value);
            }
            for name in takes(node).into_iter().filter(|name| last.get(name) == Some(&at)) {
                // What the host made is not kept for nobody.
                if let Some(bytes) = self.made.remove(name) {
                    self.env.remove(name);
                    self.room += bytes;
                }
            }
        }
        Ok(())
    }

    /// Takes what the host has made, and did not read, from the room for it. Elements that are an input's own take none, and what that took
    /// is not given back.
    fn charge(&mut self, call: &Call<'a>, results: &[Host]) -> Result<()> {
        if call.proto.op_type() == "Constant" {
            return Ok(());
        }
        for (name, host) in call.proto.output.iter().zip(results) {
            let shares =
                |name: &&String| matches!(self.env.get(name.as_str()), Some(Value::Host(input)) if input.shares(host));
            if let Some(input) = call.proto.input.iter().find(shares) {
                self.made.remove(input.as_str());
                continue;
            }
            self.spend(host.bytes())?;
            self.made.insert(name, host.bytes());
        }
        Ok(())
    }

    /// Takes what a node makes from the room for it.
    pub fn spend(&mut self, bytes: usize) -> Result<()> {
        let most = self.model.room;
        let told = || OnnxError::node(format!("and those before make more than {most} bytes before the model runs"));
        self.room = self.room.checked_sub(bytes).ok_or_else(told)?;
        Ok(())
    }

    fn node(&mut self, call: &Call<'a>) -> Result<Vec<Value>> {
        let mut known = vec![];
        for name in &call.proto.input {
            match self.env.get(name.as_str()) {
                Some(Value::Host(host)) => known.push(Some(host)),
                None if name.is_empty() => known.push(None),
                Some(Value::Device(_)) | None => break,
            }
        }
        if known.len() == call.inputs()
            && let Some(results) = fold::node(call, &known)?
        {
            self.charge(call, &results)?;
            return Ok(results.into_iter().map(Value::Host).collect());
        }
        let op = ops::find(call.proto.op_type())
            .ok_or_else(|| OnnxError::Unsupported(vec![format!("{} ({})", call.told(), call.opset)]))?;
        (op.record)(self, call)
    }

    pub fn graph(&mut self) -> &mut Graph {
        self.sink.graph()
    }

    /// A value by its name.
    pub fn find(&self, name: &str) -> Result<&Value> {
        self.env.get(name).ok_or_else(|| OnnxError::node(format!("nothing computes {name:?}")))
    }

    /// An input that may be absent.
    pub fn optional(&self, call: &Call<'a>, i: usize) -> Result<Option<Value>> {
        call.input(i).map(|name| self.find(name).cloned()).transpose()
    }

    pub fn value(&self, call: &Call<'a>, i: usize) -> Result<Value> {
        self.optional(call, i)?.ok_or_else(|| OnnxError::node(format!("input {i} is missing")))
    }

    /// An input that must be known now.
    pub fn known(&self, call: &Call<'a>, i: usize) -> Result<Host> {
        match self.value(call, i)? {
            Value::Host(host) => Ok(host),
            Value::Device(_) => {
                Err(OnnxError::NotFixed { node: String::new(), what: call.input(i).unwrap_or_default().into() })
            }
        }
    }

    /// The same where it may be absent.
    pub fn known_if(&self, call: &Call<'a>, i: usize) -> Result<Option<Host>> {
        if call.input(i).is_none() { Ok(None) } else { self.known(call, i).map(Some) }
    }

    pub fn shape(&mut self, value: &Value) -> Vec<usize> {
        match value {
            Value::Host(host) => host.shape.clone(),
            Value::Device(held) => held.shape(self.sink.graph()),
        }
    }

    /// Fixed numbers in the graph, which keeps them: they count as made.
    pub fn constant(&mut self, tensor: Tensor) -> Result<Var> {
        self.spend(tensor.bytes())?;
        Ok(self.graph().constant(tensor)?)
    }

    /// A value on the device, in whatever order it is.
    pub fn held(&mut self, value: &Value) -> Result<Held> {
        match value {
            Value::Device(held) => Ok(held.clone()),
            Value::Host(host) => {
                let mut host = host.clone();
                if self.wide && host.elem == Elem::F16 {
                    host.elem = Elem::F32;
                }
                let var = self.constant(host.to_tensor()?)?;
                Ok(Held::plain(self.graph(), var))
            }
        }
    }

    /// A value in ONNX' order.
    pub fn var(&mut self, value: &Value) -> Result<Var> {
        let held = self.held(value)?;
        held.logical(self.graph())
    }

    /// An input in ONNX' order.
    pub fn input(&mut self, call: &Call<'a>, i: usize) -> Result<Var> {
        let value = self.value(call, i)?;
        self.var(&value)
    }

    /// An input with its channels last.
    pub fn image(&mut self, call: &Call<'a>, i: usize) -> Result<Var> {
        let value = self.value(call, i)?;
        let held = self.held(&value)?;
        let rank = held.shape(self.graph()).len();
        held.ordered(self.graph(), &channels_last(rank))
    }

    /// A result in ONNX' order.
    pub fn plain(&mut self, var: Var) -> Vec<Value> {
        vec![Value::Device(Held::plain(self.graph(), var))]
    }

    /// A result with its channels last.
    pub fn last(&mut self, var: Var) -> Vec<Value> {
        let rank = self.graph().shape(var).len();
        vec![Value::Device(Held { var, order: Order::Axes(channels_last(rank)) })]
    }

    /// A weight: fixed values become a parameter, after these steps; computed ones are moved by the graph.
    pub fn weight(&mut self, call: &Call<'a>, i: usize, steps: &[Step]) -> Result<Var> {
        self.taken(call, i, steps, true)
    }

    /// A parameter that is no weight of a product.
    pub fn parameter(&mut self, call: &Call<'a>, i: usize, steps: &[Step]) -> Result<Var> {
        self.taken(call, i, steps, false)
    }

    fn taken(&mut self, call: &Call<'a>, i: usize, steps: &[Step], product: bool) -> Result<Var> {
        match self.value(call, i)? {
            Value::Host(host) => {
                let host = stepped(host, steps)?;
                if !host.elem.is_float() {
                    return self.constant(host.to_tensor()?);
                }
                let name = self.name(call.input(i).unwrap_or_default(), steps);
                if product { self.sink.weight(&name, &host) } else { self.sink.parameter(&name, &host) }
            }
            Value::Device(held) => {
                let mut var = held.logical(self.graph())?;
                for step in steps {
                    var = match step {
                        Step::Reshape(shape) => self.graph().reshape(var, shape)?,
                        Step::Permute(perm) => transposed(self.graph(), var, perm)?,
                    };
                }
                Ok(var)
            }
        }
    }

    /// The name of a weight as it is saved; those that are taken in several ways get a number behind it.
    pub fn name(&mut self, name: &str, steps: &[Step]) -> String {
        let key = (name.to_string(), steps.to_vec());
        if let Some(known) = self.names.get(&key) {
            return known.clone();
        }
        let plain = plain_name(name);
        let taken = |candidate: &String| self.names.values().any(|n| n == candidate);
        let mut candidate = plain.clone();
        let mut number = 2;
        while taken(&candidate) {
            candidate = format!("{plain}_{number}");
            number += 1;
        }
        self.names.insert(key, candidate.clone());
        candidate
    }

    /// A fault of the present node.
    pub fn fault<T>(&self, detail: impl Into<String>) -> Result<T> {
        Err(OnnxError::node(detail))
    }
}

/// A name without slashes, which weight files keep for what optimizers save.
pub(crate) fn plain_name(name: &str) -> String {
    let plain = name.trim_matches('/').replace('/', ".");
    if plain.is_empty() { "weight".into() } else { plain }
}

/// The layer path of a node.
fn scope_of(call: &Call<'_>) -> String {
    let name = if call.proto.name().is_empty() { call.proto.op_type() } else { call.proto.name() };
    plain_name(name)
}

/// A host tensor after some steps.
pub(crate) fn stepped(mut host: Host, steps: &[Step]) -> Result<Host> {
    for step in steps {
        host = match step {
            Step::Reshape(shape) => host.reshaped(shape)?,
            Step::Permute(perm) => host.permuted(perm)?,
        };
    }
    Ok(host)
}
