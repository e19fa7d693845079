//! Normalisation.

use super::rules::{Backward, Cotangents, NodeShapes, Role, Rules};
use crate::elementwise::Elementwise;
use crate::error::Result;
use crate::grad::rule;
use crate::graph::{Graph, Var};
use crate::op::{GradientRule, MomentsAxis, Op};
use crate::plan::Kernel;
use crate::shape::{broadcast, count};

impl Graph {
    /// Mean (row 0) and biased variance (row 1) of a matrix, by Chan's method; f32 whatever the matrix is stored in.
    fn moments(&mut self, matrix: Var, axis: MomentsAxis) -> Var {
        let n = self.shape(matrix)[if axis == MomentsAxis::Rows { 1 } else { 0 }];
        let dtype = self.dtype(matrix).compute();
        self.push(Op::Moments(axis), vec![matrix], vec![2, n], dtype)
    }

    /// Batch norm in training (arXiv:1502.03167) over all axes but the last: returns the normalised value and the
    /// batch's mean and biased variance as `[2, C]`. Of 16-bit values statistics, scale and shift are f32.
    ///
    /// # Errors
    /// If scale and shift are not `[C]`, types do not fit, or eps is negative or no number.
    pub fn batch_norm(&mut self, x: Var, scale: Var, shift: Var, eps: f64) -> Result<(Var, Var)> {
        self.check_floats("batch_norm", &[x])?;
        self.check_own("batch_norm", &[scale, shift])?;
        let shape = self.shape(x).to_vec();
        let c = shape.last().copied().unwrap_or(0);
        if shape.len() < 2 || self.shape(scale) != [c] || self.shape(shift) != [c] {
            let shapes = [&shape[..], self.shape(scale), self.shape(shift)];
            return Err(self.shape_error("batch_norm", &shapes, "takes x [..., C], scale [C], shift [C]".into()));
        }
        let types = [scale, shift].map(|v| self.dtype(v));
        if types != [self.dtype(x).compute(); 2] {
            let want = format!("scale and shift must be {}", self.dtype(x).compute());
            return Err(self.dtype_error("batch_norm", &[self.dtype(x), types[0], types[1]], want));
        }
        let rows = count(&shape[..shape.len() - 1]);
        // Only the statistics see a matrix: a reshape of computed values would keep them out of their neighbours' kernels.
        let matrix = self.reshape(x, &[rows, c])?;
        let moments = self.moments(matrix, MomentsAxis::Rows);
        let mean = self.narrow(moments, 0, 0, 1)?;
        let variance = self.narrow(moments, 0, 1, 2)?;
        let value = self.normalise(x, mean, variance, Some(scale), Some(shift), eps)?;
        let rule = GradientRule::BatchNorm { eps_bits: eps.to_bits() };
        let y = self.with_gradient(rule, &[value, x, moments, scale, shift]);
        Ok((y, moments))
    }

    /// (x - mean) / sqrt(variance + eps) * scale + shift, with statistics `[C]` given: batch norm in evaluation. Computed in
    /// the type of the statistics, stored in that of x.
    ///
    /// # Errors
    /// If shapes do not broadcast to that of x, types do not fit, or eps is negative or no number.
    pub fn normalise(
        &mut self,
        x: Var,
        mean: Var,
        variance: Var,
        scale: Option<Var>,
        shift: Option<Var>,
        eps: f64,
    ) -> Result<Var> {
        self.check_floats("normalise", &[x])?;
        let statistics: Vec<Var> = [mean, variance].into_iter().chain(scale).chain(shift).collect();
        self.check_floats("normalise", &statistics)?;
        let grows = |&v: &Var| broadcast(self.shape(x), self.shape(v)).as_deref() != Some(self.shape(x));
        if let Some(&v) = statistics.iter().find(|v| grows(v)) {
            let shapes = [self.shape(x), self.shape(v)];
            return Err(self.shape_error("normalise", &shapes, "statistics must broadcast to x".into()));
        }
        if !(0.0..f64::INFINITY).contains(&eps) {
            return Err(self.shape_error("normalise", &[self.shape(x)], format!("eps cannot be {eps}")));
        }
        let shifted = self.map_scalars(Elementwise::Add, variance, &[eps])?;
        let mut factor = self.unary(Elementwise::Rsqrt, shifted)?;
        if let Some(scale) = scale {
            factor = self.mul(factor, scale)?;
        }
        let (stored, wide) = (self.dtype(x), self.cast(x, self.dtype(mean))?);
        let centred = self.sub(wide, mean)?;
        let mut y = self.mul(centred, factor)?;
        if let Some(shift) = shift {
            y = self.add(y, shift)?;
        }
        self.cast(y, stored)
    }

    /// Layer norm (arXiv:1607.06450) over the last `axes` axes; scale and shift have those extents.
    ///
    /// # Errors
    /// If shapes or types do not fit, or eps is negative or no number.
    pub fn layer_norm(&mut self, x: Var, axes: usize, scale: Option<Var>, shift: Option<Var>, eps: f64) -> Result<Var> {
        self.check_floats("layer_norm", &[x])?;
        let shape = self.shape(x).to_vec();
        if axes == 0 || axes > shape.len() {
            return Err(self.shape_error("layer_norm", &[&shape], format!("cannot take the last {axes} axes")));
        }
        self.check_affine("layer_norm", x, [scale, shift], &shape[shape.len() - axes..])?;
        let y = self.standardize(x, axes, eps)?;
        self.affine(y, scale, shift)
    }

    /// Refuses a scale or shift of other extents than `want`.
    fn check_affine(&self, op: &str, x: Var, parameters: [Option<Var>; 2], want: &[usize]) -> Result<()> {
        for v in parameters.into_iter().flatten() {
            self.check_floats(op, &[x, v])?;
            if self.shape(v) != want {
                let shapes = [self.shape(x), self.shape(v)];
                return Err(self.shape_error(op, &shapes, format!("scale and shift must be {want:?}")));
            }
        }
        Ok(())
    }

    fn affine(&mut self, y: Var, scale: Option<Var>, shift: Option<Var>) -> Result<Var> {
        let scaled = match scale {
            Some(scale) => self.mul(y, scale)?,
            None => y,
        };
        match shift {
            Some(shift) => self.add(scaled, shift),
            None => Ok(scaled),
        }
    }

    /// Group norm (arXiv:1803.08494) of x `[N, ..., C]` over `groups` groups of neighbouring channels; scale and shift are `[C]`.
    ///
    /// # Errors
    /// If the channels are no multiple of the groups, shapes or types do not fit, or eps is negative or no number.
    pub fn group_norm(
        &mut self,
        x: Var,
        groups: usize,
        scale: Option<Var>,
        shift: Option<Var>,
        eps: f64,
    ) -> Result<Var> {
        self.check_floats("group_norm", &[x])?;
        let shape = self.shape(x).to_vec();
        let c = shape.last().copied().unwrap_or(0);
        if shape.len() < 2 || groups == 0 || c % groups != 0 {
            return Err(self.shape_error(
                "group_norm",
                &[&shape],
                format!("{c} channels do not split into {groups} groups"),
            ));
        }
        self.check_affine("group_norm", x, [scale, shift], &[c])?;
        let (n, plane) = (shape[0], count(&shape[1..shape.len() - 1]));
        let split = self.reshape(x, &[n, plane, groups, c / groups])?;
        let grouped = self.transpose(split, &[0, 2, 1, 3])?;
        let standard = self.standardize(grouped, 2, eps)?;
        let back = self.transpose(standard, &[0, 2, 1, 3])?;
        let y = self.reshape(back, &shape)?;
        self.affine(y, scale, shift)
    }

    /// The last `axes` axes shifted and scaled to mean 0 and variance 1.
    fn standardize(&mut self, x: Var, axes: usize, eps: f64) -> Result<Var> {
        let mut along = self.shape(x).to_vec();
        let lead = along.len() - axes;
        let (rows, n) = (count(&along[..lead]), count(&along[lead..]));
        along[lead..].fill(1);
        let matrix = self.reshape(x, &[rows, n])?;
        let moments = self.moments(matrix, MomentsAxis::Columns);
        let (mean, variance) = (self.narrow(moments, 0, 0, 1)?, self.narrow(moments, 0, 1, 2)?);
        let (mean, variance) = (self.reshape(mean, &along)?, self.reshape(variance, &along)?);
        let value = self.normalise(x, mean, variance, None, None, eps)?;
        Ok(self.with_gradient(GradientRule::Standardize { axes, eps_bits: eps.to_bits() }, &[value, x, moments]))
    }

    fn with_gradient(&mut self, rule: GradientRule, operands: &[Var]) -> Var {
        let (shape, dtype) = (self.shape(operands[0]).to_vec(), self.dtype(operands[0]));
        self.push(Op::WithGradient(rule), operands.to_vec(), shape, dtype)
    }
}

/// d mean / dx = 1/n; d variance / dx = 2 (x - mean) / n.
fn moments_gradient(g: &mut Graph, x: Var, m: Var, d: Var, axis: MomentsAxis) -> Result<Vec<Option<Var>>> {
    let (sx, kept) = (g.shape(x).to_vec(), g.shape(m)[1]);
    let (n, along) = match axis {
        MomentsAxis::Rows => (sx[0] as f64, vec![1, kept]),
        MomentsAxis::Columns => (sx[1] as f64, vec![kept, 1]),
    };
    rule(g, &[x, m, d], |e| {
        let mean = e[1].rows(0, 1).view(&along);
        let d_mean = e[2].rows(0, 1).view(&along);
        let d_var = e[2].rows(1, 2).view(&along);
        vec![Some(((e[0].like(mean) - mean) * (d_var * (2.0 / n)) + d_mean * (1.0 / n)).like(e[0]))]
    })
}

/// With x̂ = (x - μ)/√(σ²+ε): dx = γ/√(σ²+ε) (d - mean(d) - x̂ mean(d x̂)), dγ = Σ d x̂, dβ = Σ d (arXiv:1502.03167).
fn batch_norm_gradient(g: &mut Graph, inputs: &[Var], d: Var, eps: f64) -> Result<Vec<Option<Var>>> {
    let c = g.shape(inputs[3]).to_vec();
    let shape = g.shape(inputs[1]);
    let n = c[0] as f64 / crate::shape::count(shape) as f64;
    let axes: Vec<usize> = (0..shape.len() - 1).collect();
    let mut values = inputs[1..].to_vec();
    values.push(d);
    rule(g, &values, |e| {
        let (moments, scale) = (e[1], e[2]);
        let (x, d) = (e[0].like(moments), e[4].like(moments));
        let rstd = (moments.rows(1, 2) + eps).map(Elementwise::Rsqrt);
        let centred = x - moments.rows(0, 1);
        let d_scale = (d * (centred * rstd)).sum(&axes);
        let d_shift = d.sum(&axes);
        // What depends on the channel alone stands together, so that a plan computes it once a channel.
        let dx = (d - d_shift * n - centred * (rstd * (d_scale * n))) * (scale * rstd);
        vec![None, Some(dx.like(e[0])), None, Some(d_scale.view(&c)), Some(d_shift.view(&c))]
    })
}

/// The same over the last axes, without scale and shift.
fn standardize_gradient(g: &mut Graph, inputs: &[Var], d: Var, axes: usize, eps: f64) -> Result<Vec<Option<Var>>> {
    let mut along = g.shape(inputs[1]).to_vec();
    let lead = along.len() - axes;
    let n = 1.0 / crate::shape::count(&along[lead..]) as f64;
    along[lead..].fill(1);
    let reduced: Vec<usize> = (lead..along.len()).collect();
    rule(g, &[inputs[1], inputs[2], d], |e| {
        let moments = e[1];
        let (x, d) = (e[0].like(moments), e[2].like(moments));
        let rstd = (moments.rows(1, 2).view(&along) + eps).map(Elementwise::Rsqrt);
        let normal = (x - moments.rows(0, 1).view(&along)) * rstd;
        let mean = d.sum(&reduced) * n;
        let slope = (d * normal).sum(&reduced) * n;
        vec![None, Some(((d - mean - normal * slope) * rstd).like(e[0])), None]
    })
}

/// Mean and variance of rows or columns.
pub(super) struct Moments(pub MomentsAxis);

impl Rules for Moments {
    fn role(&self) -> Role {
        Role::Structural
    }

    fn kernel(&self, place: &NodeShapes) -> Option<Kernel> {
        let &[rows, columns] = place.operand(0) else { return None };
        Some(Kernel::Moments { axis: self.0, rows, columns })
    }

    fn gradient(&self, at: Backward) -> Cotangents {
        let x = at.x();
        moments_gradient(at.graph, x, at.node, at.d, self.0)
    }
}

/// Batch norm in training, whose gradient is written by hand.
pub(super) struct BatchNorm {
    pub eps_bits: u64,
}

impl Rules for BatchNorm {
    fn role(&self) -> Role {
        Role::Movement
    }

    fn kernel(&self, _: &NodeShapes) -> Option<Kernel> {
        None
    }

    fn gradient(&self, at: Backward) -> Cotangents {
        batch_norm_gradient(at.graph, &at.inputs, at.d, f64::from_bits(self.eps_bits))
    }
}

/// The last axes standardized, whose gradient is written by hand.
pub(super) struct Standardize {
    pub axes: usize,
    pub eps_bits: u64,
}

impl Rules for Standardize {
    fn role(&self) -> Role {
        Role::Movement
    }

    fn kernel(&self, _: &NodeShapes) -> Option<Kernel> {
        None
    }

    fn gradient(&self, at: Backward) -> Cotangents {
        standardize_gradient(at.graph, &at.inputs, at.d, self.axes, f64::from_bits(self.eps_bits))
    }
}
