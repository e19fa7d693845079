//! Training steps of networks with many calls: for the time that planning takes, and, made small, for what it gives.

use chiaro_graph::{
    AvgDivisor, ConvSpec, CrossEntropyOptions, DType, Elementwise, Graph, PoolSpec, Result, StateId, Target, Var,
};

/// A network that is being recorded, with its parameters.
struct Net {
    graph: Graph,
    arena: chiaro_graph::ArenaId,
    parameters: Vec<(StateId, Var)>,
}

impl Net {
    fn new() -> Result<Net> {
        let mut graph = Graph::new();
        let arena = graph.arena("params", DType::F32)?;
        Ok(Net { graph, arena, parameters: vec![] })
    }

    fn parameter(&mut self, shape: &[usize]) -> Result<Var> {
        let id = self.graph.state(self.arena, &format!("p{}", self.parameters.len()), shape)?;
        let value = self.graph.state_value(id)?;
        self.parameters.push((id, value));
        Ok(value)
    }

    fn conv(&mut self, x: Var, channels: usize, kernel: usize, stride: usize) -> Result<Var> {
        let from = self.graph.shape(x)[3];
        let weight = self.parameter(&[channels, kernel, kernel, from])?;
        let spec = ConvSpec { stride: [stride; 2], padding: [kernel / 2; 4], ..ConvSpec::default() };
        self.graph.conv2d(x, weight, &spec)
    }

    fn norm_relu(&mut self, x: Var) -> Result<Var> {
        let channels = self.graph.shape(x)[3];
        let (scale, shift) = (self.parameter(&[channels])?, self.parameter(&[channels])?);
        let (y, _) = self.graph.batch_norm(x, scale, shift, 1e-5)?;
        self.graph.relu(y)
    }

    fn linear(&mut self, x: Var, out: usize) -> Result<Var> {
        let from = self.graph.shape(x)[1];
        let (weight, bias) = (self.parameter(&[out, from])?, self.parameter(&[out])?);
        self.graph.linear(x, weight, Some(bias))
    }

    /// Adds loss, gradients and a step of plain gradient descent.
    fn trained(mut self, logits: Var) -> Result<Graph> {
        let batch = self.graph.shape(logits)[0];
        let labels = self.graph.input("labels", &[batch], DType::I32)?;
        let g = &mut self.graph;
        let loss = g.cross_entropy(logits, labels, &CrossEntropyOptions::default())?;
        g.output("loss", loss)?;
        let values: Vec<Var> = self.parameters.iter().map(|p| p.1).collect();
        let gradients = g.grad(loss, None, &values)?;
        let pairs: Vec<(StateId, Var)> = self.parameters.iter().map(|p| p.0).zip(gradients).collect();
        let packed = g.pack(self.arena, &pairs)?;
        let change = g.map_scalars(Elementwise::Mul, packed, &[-0.1])?;
        let old = g.arena_values(self.arena)?;
        let new = g.add(old, change)?;
        g.assign(Target::Arena(self.arena), new)?;
        Ok(self.graph)
    }
}

/// DenseNet (arXiv:1608.06993) over `[batch,size,size,3]`: `blocks` says how many layers each block has (121: 6, 12, 24, 16), each of
/// which adds `growth` channels.
///
/// # Errors
/// If the images are too small.
pub fn densenet(batch: usize, size: usize, blocks: &[usize], growth: usize) -> Result<Graph> {
    let mut net = Net::new()?;
    let images = net.graph.input("images", &[batch, size, size, 3], DType::F32)?;
    let mut x = net.conv(images, 2 * growth, 3, 1)?;
    for (i, &layers) in blocks.iter().enumerate() {
        for _ in 0..layers {
            let y = net.norm_relu(x)?;
            let y = net.conv(y, 4 * growth, 1, 1)?;
            let y = net.norm_relu(y)?;
            let y = net.conv(y, growth, 3, 1)?;
            x = net.graph.concat(&[x, y], 3)?;
        }
        x = net.norm_relu(x)?;
        if i + 1 < blocks.len() {
            let half = net.graph.shape(x)[3] / 2;
            x = net.conv(x, half, 1, 1)?;
            x = net.graph.avg_pool2d(x, &PoolSpec::square(2), AvgDivisor::ExcludePadding)?;
        }
    }
    x = net.graph.global_avg_pool2d(x)?;
    let logits = net.linear(x, 10)?;
    net.trained(logits)
}

/// An LSTM (Hochreiter and Schmidhuber, 1997) of `width` units over `[batch,steps,features]`, one call for each of its steps.
///
/// # Errors
/// None for extents above 0.
pub fn lstm(batch: usize, steps: usize, features: usize, width: usize) -> Result<Graph> {
    let mut net = Net::new()?;
    let x = net.graph.input("x", &[batch, steps, features], DType::F32)?;
    let (input, recurrent) = (net.parameter(&[4 * width, features])?, net.parameter(&[4 * width, width])?);
    let bias = net.parameter(&[4 * width])?;
    let g = &mut net.graph;
    let mut hidden = g.full(&[batch, width], 0.0, DType::F32)?;
    let mut cell = hidden;
    for t in 0..steps {
        let now = g.narrow(x, 1, t, t + 1)?;
        let now = g.reshape(now, &[batch, features])?;
        let from_input = g.linear(now, input, Some(bias))?;
        let from_hidden = g.linear(hidden, recurrent, None)?;
        let gates = g.add(from_input, from_hidden)?;
        let gate = |g: &mut Graph, i: usize, op| {
            let part = g.narrow(gates, 1, i * width, (i + 1) * width)?;
            g.unary(op, part)
        };
        let (open, keep) = (gate(g, 0, Elementwise::Sigmoid)?, gate(g, 1, Elementwise::Sigmoid)?);
        let (new, shown) = (gate(g, 2, Elementwise::Tanh)?, gate(g, 3, Elementwise::Sigmoid)?);
        let (kept, added) = (g.mul(keep, cell)?, g.mul(open, new)?);
        cell = g.add(kept, added)?;
        let bounded = g.unary(Elementwise::Tanh, cell)?;
        hidden = g.mul(shown, bounded)?;
    }
    let logits = net.linear(hidden, 10)?;
    net.trained(logits)
}
