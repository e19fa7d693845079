//! Nodes and fixed tensors of a model that is being written.

use crate::proto::attribute_proto::AttributeType;
use crate::proto::tensor_proto::DataType;
use crate::proto::{AttributeProto, NodeProto, TensorProto};

/// A float tensor in 64 bits, so that what is folded is rounded once.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wide {
    pub shape: Vec<usize>,
    pub values: Vec<f64>,
}

/// A product whose weight may still be changed by what follows it.
pub(crate) struct Product {
    pub node: NodeProto,
    pub name: String,
    /// Output channels first.
    pub weight: Wide,
    pub bias: Option<Vec<f64>>,
}

/// A node, or a product that becomes one.
pub(crate) enum Item {
    Node(NodeProto),
    Product(Product),
}

/// The model so far.
#[derive(Default)]
pub(crate) struct Builder {
    pub items: Vec<Item>,
    pub tensors: Vec<TensorProto>,
    /// Fixed tensors by their bytes, so that equal ones are one.
    known: std::collections::HashMap<Vec<u8>, String>,
    names: usize,
}

/// An attribute of whole numbers.
pub(crate) fn ints(name: &str, values: &[usize]) -> AttributeProto {
    let ints = values.iter().map(|&v| v as i64).collect();
    AttributeProto { name: Some(name.into()), r#type: Some(AttributeType::Ints as i32), ints, ..Default::default() }
}

/// An attribute of one whole number.
pub(crate) fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        r#type: Some(AttributeType::Int as i32),
        i: Some(value),
        ..Default::default()
    }
}

/// An attribute of one float.
pub(crate) fn float(name: &str, value: f64) -> AttributeProto {
    let f = Some(value as f32);
    AttributeProto { name: Some(name.into()), r#type: Some(AttributeType::Float as i32), f, ..Default::default() }
}

/// A tensor of a file.
fn tensor(name: &str, shape: &[usize], kind: DataType, raw: Vec<u8>) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        dims: shape.iter().map(|&n| n as i64).collect(),
        data_type: Some(kind as i32),
        raw_data: Some(raw.into()),
        ..Default::default()
    }
}

impl Builder {
    /// A name that no other value has.
    pub fn name(&mut self, about: &str) -> String {
        self.names += 1;
        format!("{about}_{}", self.names)
    }

    /// Adds a node with one output, whose name comes back.
    pub fn node(&mut self, op: &str, inputs: &[&str], attributes: Vec<AttributeProto>) -> String {
        let output = self.name(op);
        self.named(op, inputs, attributes, &output);
        output
    }

    /// The same with the output's name.
    pub fn named(&mut self, op: &str, inputs: &[&str], attributes: Vec<AttributeProto>, output: &str) {
        let node = self.made(op, inputs, attributes, output);
        self.items.push(Item::Node(node));
    }

    /// A node that is not added yet.
    pub fn made(&self, op: &str, inputs: &[&str], attribute: Vec<AttributeProto>, output: &str) -> NodeProto {
        NodeProto {
            op_type: Some(op.into()),
            name: Some(output.into()),
            input: inputs.iter().map(|i| i.to_string()).collect(),
            output: vec![output.into()],
            attribute,
            ..Default::default()
        }
    }

    /// Adds fixed floats.
    pub fn floats(&mut self, about: &str, wide: &Wide) -> String {
        let raw: Vec<u8> = wide.values.iter().flat_map(|&v| (v as f32).to_le_bytes()).collect();
        self.fixed(about, &wide.shape, DataType::Float, raw)
    }

    /// Adds fixed floats that stay a tensor of their own though others are equal, so that they can be trained on.
    pub fn own_floats(&mut self, about: &str, wide: &Wide) -> String {
        let taken = self.tensors.iter().any(|t| t.name() == about);
        let name = if taken { self.name(about) } else { about.to_string() };
        let raw: Vec<u8> = wide.values.iter().flat_map(|&v| (v as f32).to_le_bytes()).collect();
        self.tensors.push(tensor(&name, &wide.shape, DataType::Float, raw));
        name
    }

    /// Adds fixed whole numbers.
    pub fn numbers(&mut self, values: &[i64]) -> String {
        let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.fixed("numbers", &[values.len()], DataType::Int64, raw)
    }

    fn fixed(&mut self, about: &str, shape: &[usize], kind: DataType, raw: Vec<u8>) -> String {
        let key = [format!("{kind:?} {shape:?} ").into_bytes(), raw.clone()].concat();
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let taken = self.tensors.iter().any(|t| t.name() == about);
        let name = if taken || about == "numbers" || about == "value" { self.name(about) } else { about.to_string() };
        self.tensors.push(tensor(&name, shape, kind, raw));
        self.known.insert(key, name.clone());
        name
    }

    /// All nodes; what products still hold becomes fixed tensors.
    pub fn finish(mut self) -> (Vec<NodeProto>, Vec<TensorProto>) {
        let mut nodes = vec![];
        for item in std::mem::take(&mut self.items) {
            match item {
                Item::Node(node) => nodes.push(node),
                Item::Product(Product { mut node, name, weight, bias }) => {
                    node.input.push(self.floats(&name, &weight));
                    if let Some(bias) = bias {
                        let about = match name.strip_suffix("weight") {
                            Some(stem) => format!("{stem}bias"),
                            None => format!("{name}.bias"),
                        };
                        node.input.push(self.floats(&about, &Wide { shape: vec![bias.len()], values: bias }));
                    }
                    nodes.push(node);
                }
            }
        }
        (nodes, self.tensors)
    }
}
