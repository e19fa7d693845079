//! Whether a recorded model keeps the pictures of a batch apart: it is followed from the pictures to the logits, op by op, in which axis
//! they lie. What is not understood counts as mixing them, which costs time alone: such models are asked picture by picture.

use chiaro_graph::shape::count;
use chiaro_graph::{Graph, MomentsAxis, Op, Tensor, Var};

/// Pictures of the recording that is looked at.
pub(crate) const TWO: usize = 2;

/// Where the pictures lie in a value: element i of the axis is of picture `i / inner % TWO`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    axis: usize,
    inner: usize,
}

/// What is known of a value: `None` of one that mixes pictures, `Some(None)` of one that no picture reaches.
type Known = Option<Option<Place>>;

/// Whether the logits `[TWO, classes]` of each of the images `[TWO, ...]` depend on that image alone, and on both in the same way.
pub(crate) fn keeps_apart(graph: &Graph, images: Var, logits: Var) -> bool {
    let mut places: Vec<Known> = Vec::with_capacity(graph.nodes().len());
    for i in 0..=logits.index() {
        let known =
            if i == images.index() { Some(Some(Place { axis: 0, inner: 1 })) } else { place(graph, i, &places) };
        places.push(known);
    }
    places[logits.index()] == Some(Some(Place { axis: 0, inner: 1 }))
}

fn place(graph: &Graph, i: usize, places: &[Known]) -> Known {
    let node = &graph.nodes()[i];
    let inputs: Option<Vec<Option<Place>>> = node.inputs.iter().map(|v| places[v.index()]).collect();
    let inputs = inputs?;
    if inputs.iter().all(Option::is_none) {
        return Some(None);
    }
    let first = inputs[0];
    let from = graph.shape(node.inputs[0]);
    // The axis stays as it is, if the op does nothing along it.
    let kept = |free: &dyn Fn(Place) -> bool| first.filter(|p| free(*p)).map(Some);
    match &node.op {
        Op::Map(_) | Op::Cast(_) => together(graph, &node.inputs, &inputs).map(Some),
        Op::Gather(axis) | Op::Concat(axis) => {
            together(graph, &node.inputs, &inputs).filter(|p| p.axis != *axis).map(Some)
        }
        Op::WithGradient(_) => Some(first),
        Op::Reshape => reshaped(from, &node.shape, first?).map(Some),
        Op::Transpose(perm) => {
            let axis = perm.iter().position(|&p| first.is_some_and(|place| place.axis == p))?;
            Some(first.map(|place| Place { axis, ..place }))
        }
        Op::Broadcast => kept(&|p| from[p.axis] == node.shape[p.axis]),
        Op::Slice { start, step } => {
            kept(&|p| start[p.axis] == 0 && step[p.axis] == 1 && from[p.axis] == node.shape[p.axis])
        }
        Op::Pad { low, high, .. } => kept(&|p| low[p.axis] == 0 && high[p.axis] == 0),
        Op::Reduce(_, axes) => kept(&|p| !axes.contains(&p.axis)),
        Op::ArgReduce(_, axis) => kept(&|p| p.axis != *axis),
        Op::IndexSelect(axis) if inputs[1].is_none() => kept(&|p| p.axis != *axis),
        Op::Softmax { .. } => kept(&|p| p.axis + 1 < from.len()),
        Op::Moments(over) => {
            let own = if *over == MomentsAxis::Columns { 0 } else { 1 };
            first.filter(|p| p.axis == own).map(|p| Some(Place { axis: 1, ..p }))
        }
        Op::Conv2d(_) if inputs[1].is_none() => kept(&|p| p.axis == 0),
        Op::MaxPool2d(_) | Op::MaxPool2dIndex(_) | Op::AvgPool2d(..) => kept(&|p| p.axis == 0 || p.axis == 3),
        Op::MatMul { ta, tb } => product(graph, i, [inputs[0], inputs[1]], [*ta, *tb]).map(Some),
        Op::IndexSelect(_)
        | Op::Conv2d(_)
        | Op::Input(_)
        | Op::State(_)
        | Op::Arena(_)
        | Op::Scalar(_)
        | Op::Constant(_)
        | Op::Iota
        | Op::Random { .. }
        | Op::Pack(..)
        | Op::Conv2dInputGrad(_)
        | Op::Conv2dWeightGrad(_)
        | Op::MaxPool2dGrad(_)
        | Op::AvgPool2dGrad(..)
        | Op::CrossEntropy(_)
        | Op::CrossEntropyGrad(_)
        | Op::ScatterAdd(_)
        | Op::IndexAdd(_)
        | Op::Custom(_) => None,
    }
}

/// The place that all operands of pictures share; the others must be the same for each picture.
fn together(graph: &Graph, vars: &[Var], places: &[Option<Place>]) -> Option<Place> {
    let place = places.iter().flatten().next().copied()?;
    let fits = |(v, p): (&Var, &Option<Place>)| match p {
        Some(p) => *p == place,
        None => alike(graph, *v, place.axis),
    };
    vars.iter().zip(places).all(fits).then_some(place)
}

/// Where the pictures lie under other extents, if within one axis.
fn reshaped(from: &[usize], to: &[usize], place: Place) -> Option<Place> {
    // Distance of neighbouring pictures in the flat order.
    let stride = place.inner * count(&from[place.axis + 1..]);
    let mut below = 1;
    for (axis, &n) in to.iter().enumerate().rev() {
        if stride < below * n && stride.is_multiple_of(below) {
            let inner = stride / below;
            return n.is_multiple_of(inner * TWO).then_some(Place { axis, inner });
        }
        below *= n;
    }
    None
}

/// A matrix product: pictures in a leading axis, or in the rows of the first or the columns of the second matrix.
fn product(graph: &Graph, i: usize, [a, b]: [Option<Place>; 2], [ta, tb]: [bool; 2]) -> Option<Place> {
    let node = &graph.nodes()[i];
    let rank = node.shape.len();
    let ranks = [graph.shape(node.inputs[0]).len(), graph.shape(node.inputs[1]).len()];
    let leading = |place: Place, of: usize| {
        (place.axis + 2 < ranks[of]).then(|| Place { axis: place.axis + rank - ranks[of], ..place })
    };
    // Whether an operand without pictures is the same for all of them.
    let same = |of: usize, place: Place| {
        let own = (place.axis + ranks[of]).checked_sub(rank);
        own.is_none_or(|axis| alike(graph, node.inputs[of], axis))
    };
    match (a, b) {
        (Some(a), Some(b)) => leading(a, 0).filter(|place| leading(b, 1) == Some(*place)),
        (Some(a), None) => match leading(a, 0) {
            Some(place) => Some(place).filter(|place| same(1, *place)),
            None => (a.axis == ranks[0] - if ta { 1 } else { 2 }).then_some(Place { axis: rank - 2, ..a }),
        },
        (None, Some(b)) => match leading(b, 1) {
            Some(place) => Some(place).filter(|place| same(0, *place)),
            None => (b.axis == ranks[1] - if tb { 2 } else { 1 }).then_some(Place { axis: rank - 1, ..b }),
        },
        (None, None) => None,
    }
}

/// Whether all elements along an axis of a value are the same.
fn alike(graph: &Graph, mut v: Var, mut axis: usize) -> bool {
    loop {
        let node = graph.node(v);
        if node.shape.get(axis).is_none_or(|&n| n == 1) {
            return true;
        }
        match &node.op {
            Op::Scalar(_) => return true,
            Op::Constant(id) => return repeats(&graph.constants()[id.index()], &node.shape, axis),
            Op::Broadcast if graph.shape(node.inputs[0])[axis] == 1 => return true,
            Op::Broadcast | Op::Cast(_) => {}
            Op::Transpose(perm) => axis = perm[axis],
            // A few numbers for all pictures, or one number everywhere.
            Op::Reshape if count(graph.shape(node.inputs[0])) == 1 => return true,
            Op::Reshape => {
                let from = graph.shape(node.inputs[0]);
                let outer = count(&node.shape[..axis]);
                let place = (0..from.len()).find(|&a| from[a] == node.shape[axis] && count(&from[..a]) == outer);
                match place {
                    Some(place) => axis = place,
                    None => return false,
                }
            }
            _ => return false,
        }
        v = graph.node(v).inputs[0];
    }
}

/// Whether fixed data of these extents is the same at every place of an axis.
fn repeats(data: &Tensor, shape: &[usize], axis: usize) -> bool {
    let (n, inner) = (shape[axis], count(&shape[axis + 1..]));
    let values = data.to_f64();
    let mut wholes = values.chunks_exact((n * inner).max(1));
    wholes.all(|whole| whole.chunks_exact(inner).all(|part| *part == whole[..inner]))
}
