//! Pointwise ops of several operands, which are brought to one order of axes.

use chiaro_graph::{DType, Elementwise, Graph, Var};

use crate::call::Call;
use crate::error::Result;
use crate::fold::broadcast;
use crate::host::Host;
use crate::record::{Recorder, Step, stepped};
use crate::value::{Held, Order, Value};

/// Operands in one order of axes.
pub(crate) struct Aligned {
    pub vars: Vec<Var>,
    order: Order,
    /// Operands of 16 and 32 bits met: the result is stored in 16.
    narrow: bool,
}

impl Aligned {
    /// The result of the op, which lies as its operands do.
    pub fn result(self, r: &mut Recorder<'_>, var: Var) -> Result<Vec<Value>> {
        let narrow = self.narrow && r.graph().dtype(var).is_float();
        let var = if narrow { r.graph().cast(var, DType::F16)? } else { var };
        // Of scalars alone the broadcast shape may have fewer axes than were aligned.
        let order = match self.order {
            Order::Axes(axes) if axes.len() != r.graph().shape(var).len() => {
                return Ok(vec![Value::Device(Held::plain(r.graph(), var))]);
            }
            order => order,
        };
        Ok(vec![Value::Device(Held { var, order })])
    }
}

/// Brings operands to one order. Where the op `learns`, fixed floats of more than one element become parameters.
pub(crate) fn aligned<'a>(r: &mut Recorder<'a>, call: &Call<'a>, inputs: &[usize], learns: bool) -> Result<Aligned> {
    let values: Vec<Value> = inputs.iter().map(|&i| r.value(call, i)).collect::<Result<_>>()?;
    let mut shape = vec![];
    for value in &values {
        let own = r.shape(value);
        shape = broadcast(&shape, &own)?;
    }
    if call.opset < 7 && call.has("axis") {
        return r.fault("broadcasting from an axis, as before version 7, is not supported");
    }
    let order = common_order(&values, shape.len());
    let dtype = values.iter().find_map(|v| match v {
        Value::Device(held) => Some(held.var),
        Value::Host(_) => None,
    });
    let dtype = dtype.map(|var| r.graph().dtype(var));
    let mut vars = vec![];
    for (value, &i) in values.iter().zip(inputs) {
        vars.push(operand(r, call, (value, i), &order, dtype, learns)?);
    }
    let types: Vec<DType> = vars.iter().map(|&v| r.graph().dtype(v)).collect();
    let narrow = types.contains(&DType::F16) && types.contains(&DType::F32);
    if narrow {
        for var in &mut vars {
            if r.graph().dtype(*var) == DType::F16 {
                *var = r.graph().cast(*var, DType::F32)?;
            }
        }
    }
    Ok(Aligned { vars, order, narrow })
}

/// The order of the first computed operand that has one, if it has all axes.
fn common_order(values: &[Value], rank: usize) -> Order {
    let plain = Order::Axes((0..rank).collect());
    let orders: Vec<&Order> = values
        .iter()
        .filter_map(|v| match v {
            Value::Device(held) => Some(&held.order),
            Value::Host(_) => None,
        })
        .collect();
    let scalars = values.iter().all(|v| match v {
        Value::Host(host) => host.len() == 1,
        Value::Device(_) => true,
    });
    let pixels = orders.iter().find(|o| matches!(o, Order::Pixels(_)));
    if let Some(&pixels) = pixels {
        return if scalars && orders.iter().all(|o| *o == pixels) { pixels.clone() } else { plain };
    }
    let full = |o: &&Order| matches!(o, Order::Axes(axes) if axes.len() == rank && !axes.is_sorted());
    orders.into_iter().find(full).cloned().unwrap_or(plain)
}

fn operand<'a>(
    r: &mut Recorder<'a>,
    call: &Call<'a>,
    (value, i): (&Value, usize),
    order: &Order,
    dtype: Option<DType>,
    learns: bool,
) -> Result<Var> {
    let axes = match order {
        Order::Axes(axes) => axes.clone(),
        Order::Pixels(_) => vec![0, 1],
    };
    let own = r.shape(value);
    let steps = |own: &[usize]| {
        let full = [vec![1; axes.len().saturating_sub(own.len())], own.to_vec()].concat();
        vec![Step::Reshape(full), Step::Permute(axes.clone())]
    };
    match value {
        Value::Host(host) if host.len() == 1 && host.elem.is_float() && dtype.is_some_and(DType::is_float) => {
            let (number, dtype) = (host.scalar()?, dtype.unwrap_or(DType::F32));
            Ok(r.graph().scalar(number, dtype)?)
        }
        Value::Host(host) if learns && host.elem.is_float() && host.len() > 1 => r.parameter(call, i, &steps(&own)),
        Value::Host(host) => {
            let host: Host = stepped(host.clone(), &steps(&own))?;
            r.constant(host.to_tensor()?)
        }
        Value::Device(held) if held.order == *order => Ok(held.var),
        Value::Device(held) if own.len() == axes.len() => held.ordered(r.graph(), &axes),
        Value::Device(held) => {
            let var = held.logical(r.graph())?;
            let full = [vec![1; axes.len().saturating_sub(own.len())], own].concat();
            let var = r.graph().reshape(var, &full)?;
            crate::value::transposed(r.graph(), var, &axes)
        }
    }
}

/// Any of them.
pub(crate) fn record<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let least = match call.proto.op_type() {
        "Sum" | "Mean" | "Max" | "Min" => 1,
        "Where" => 3,
        _ => 2,
    };
    if call.inputs() < least {
        return r.fault(format!("takes {least} inputs, not {}", call.inputs()));
    }
    let op = call.proto.op_type();
    let inputs: Vec<usize> = (0..call.inputs()).collect();
    let aligned = aligned(r, call, &inputs, matches!(op, "Add" | "Mul"))?;
    let g = r.graph();
    let vars = aligned.vars.clone();
    let y = match op {
        "Sum" | "Mean" => {
            let mut sum = vars[0];
            for &v in &vars[1..] {
                sum = g.add(sum, v)?;
            }
            if op == "Mean" { g.mul(sum, 1.0 / vars.len() as f64)? } else { sum }
        }
        "Max" | "Min" => {
            let kind = if op == "Max" { Elementwise::Maximum } else { Elementwise::Minimum };
            let mut all = vars[0];
            for &v in &vars[1..] {
                all = g.map(kind, &[all, v])?;
            }
            all
        }
        "Where" => g.map(Elementwise::Where, &vars)?,
        "Pow" => power(g, vars[0], vars[1])?,
        _ => two(g, op, vars[0], vars[1])?,
    };
    aligned.result(r, y)
}

fn two(g: &mut Graph, op: &str, x: Var, y: Var) -> Result<Var> {
    use Elementwise as E;
    let dtype = g.dtype(x);
    let kind = match op {
        "Div" if !dtype.is_float() => return whole_quotient(g, x, y),
        "Equal" if dtype == DType::Bool => {
            let differ = exclusive(g, x, y)?;
            return Ok(g.not(differ)?);
        }
        "Xor" => return exclusive(g, x, y),
        "Add" => E::Add,
        "Sub" => E::Sub,
        "Mul" => E::Mul,
        "Div" => E::Div,
        "And" => E::And,
        "Or" => E::Or,
        "Equal" => E::Equal,
        "Greater" => E::Greater,
        "Less" => E::Less,
        "GreaterOrEqual" => E::GreaterEqual,
        _ => E::LessEqual,
    };
    Ok(g.map(kind, &[x, y])?)
}

fn exclusive(g: &mut Graph, x: Var, y: Var) -> Result<Var> {
    let (nx, ny) = (g.not(x)?, g.not(y)?);
    let (a, b) = (g.and(x, ny)?, g.and(nx, y)?);
    Ok(g.or(a, b)?)
}

/// Whole quotients towards zero: the floats' one, and what its remainder still holds.
fn whole_quotient(g: &mut Graph, x: Var, y: Var) -> Result<Var> {
    let dtype = g.dtype(x);
    let below = g.cast(y, DType::F32)?;
    let mut quotient: Option<Var> = None;
    for _ in 0..2 {
        let rest = match quotient {
            Some(q) => {
                let product = g.mul(q, y)?;
                g.sub(x, product)?
            }
            None => x,
        };
        let rest = g.cast(rest, DType::F32)?;
        let part = g.div(rest, below)?;
        let part = g.cast(part, dtype)?;
        quotient = Some(match quotient {
            Some(q) => g.add(q, part)?,
            None => part,
        });
    }
    Ok(quotient.unwrap_or(x))
}

/// Powers are of the base's type.
fn power(g: &mut Graph, x: Var, y: Var) -> Result<Var> {
    let (dtype, fixed) = (g.dtype(x), g.node(y).op.clone());
    if let (chiaro_graph::Op::Scalar(number), true) = (fixed, dtype.is_float()) {
        return Ok(g.powf(x, number.value)?);
    }
    let (base, exponent) = (g.cast(x, DType::F32)?, g.cast(y, DType::F32)?);
    let p = g.pow(base, exponent)?;
    let p = if dtype.is_float() { p } else { g.round(p)? };
    Ok(g.cast(p, dtype)?)
}

/// The slope is learnt; it broadcasts from the right as everything does.
pub(crate) fn prelu<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    if call.opset < 7 {
        // One slope a channel was a vector then.
        let x = r.image(call, 0)?;
        let slope = r.parameter(call, 1, &[])?;
        let y = r.graph().map(Elementwise::LeakyRelu, &[x, slope])?;
        return Ok(r.last(y));
    }
    let aligned = aligned(r, call, &[0, 1], true)?;
    let (x, slope) = (aligned.vars[0], aligned.vars[1]);
    let y = r.graph().map(Elementwise::LeakyRelu, &[x, slope])?;
    aligned.result(r, y)
}

/// Bounds are attributes before 11, then inputs.
pub(crate) fn clip<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let value = r.value(call, 0)?;
    let held = r.held(&value)?;
    if call.opset < 11 {
        let bound = |name: &str| call.has(name).then(|| call.float(name, 0.0));
        let var = r.graph().clamp(held.var, bound("min"), bound("max"))?;
        return Ok(vec![Value::Device(Held { var, ..held })]);
    }
    let (low, high) = (r.optional(call, 1)?, r.optional(call, 2)?);
    let number = |v: &Option<Value>| match v {
        Some(Value::Host(host)) => host.scalar().map(Some),
        Some(Value::Device(_)) | None => Ok(None),
    };
    let computed = [&low, &high].into_iter().flatten().any(|v| matches!(v, Value::Device(_)));
    if !computed && r.graph().dtype(held.var).is_float() {
        let var = r.graph().clamp(held.var, number(&low)?, number(&high)?)?;
        return Ok(vec![Value::Device(Held { var, ..held })]);
    }
    let mut var = held.var;
    for (bound, kind) in [(low, Elementwise::Maximum), (high, Elementwise::Minimum)] {
        if let Some(bound) = bound {
            let bound = r.var(&bound)?;
            var = r.graph().map(kind, &[var, bound])?;
        }
    }
    Ok(vec![Value::Device(Held { var, ..held })])
}
