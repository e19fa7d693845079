//! The statements of a function whose matrices are taken apart.

use std::collections::HashMap;

use wgpu::naga::{Block, CooperativeRole, Expression, Function, Handle, LocalVariable, Range, Span, Statement};

use super::{Lanes, MatrixShape, Roles, extents};

/// What is computed, or points to memory.
pub(super) type Value = Handle<Expression>;

/// The parts of one function's matrices, those of each matrix row by row.
pub(super) struct Parts<'a> {
    pub shape: MatrixShape,
    pub lanes: &'a Lanes,
    roles: &'a Roles,
    /// Pointers to the parts of variables.
    variables: HashMap<Handle<LocalVariable>, Vec<Value>>,
    /// The parts of what is computed.
    pub values: HashMap<Value, Vec<Value>>,
}

impl<'a> Parts<'a> {
    pub fn new(shape: MatrixShape, roles: &'a Roles, lanes: &'a Lanes) -> Self {
        Parts { shape, lanes, roles, variables: HashMap::new(), values: HashMap::new() }
    }

    /// # Errors
    /// A use of matrices that is not known here.
    pub fn take_apart(mut self, function: &mut Function) -> Result<(), String> {
        let matrices: Vec<_> = function
            .local_variables
            .iter()
            .filter_map(|(handle, variable)| Some((handle, variable.clone(), *self.roles.get(&variable.ty)?)))
            .collect();
        for (handle, variable, role) in matrices {
            let mut parts = vec![handle];
            for _ in 1..self.places(role)?.len() {
                // The variable itself is the first of its parts.
                parts.push(function.local_variables.append(variable.clone(), Span::default()));
            }
            let pointer = |part| function.expressions.append(Expression::LocalVariable(part), Span::default());
            self.variables.insert(handle, parts.into_iter().map(pointer).collect());
        }
        let body = std::mem::take(&mut function.body);
        function.body = self.block(function, body)?;
        function.named_expressions.retain(|handle, _| !self.values.contains_key(handle));
        Ok(())
    }

    /// Where the parts of an operand begin: row and column.
    pub fn places(&self, role: CooperativeRole) -> Result<Vec<[u32; 2]>, String> {
        let [rows, columns] = extents(self.shape, role)?.map(|size| size as usize);
        let begin = |size: usize| (0..16u32).step_by(size);
        Ok(begin(rows).flat_map(|row| begin(columns).map(move |column| [row, column])).collect())
    }

    fn block(&mut self, function: &mut Function, block: Block) -> Result<Block, String> {
        let mut out = Block::new();
        for (statement, span) in block.span_into_iter() {
            match statement {
                Statement::Emit(range) => self.emitted(function, range, span, &mut out)?,
                Statement::Block(inner) => out.push(Statement::Block(self.block(function, inner)?), span),
                Statement::If { condition, accept, reject } => {
                    let (accept, reject) = (self.block(function, accept)?, self.block(function, reject)?);
                    out.push(Statement::If { condition, accept, reject }, span);
                }
                Statement::Switch { selector, mut cases } => {
                    for case in &mut cases {
                        case.body = self.block(function, std::mem::take(&mut case.body))?;
                    }
                    out.push(Statement::Switch { selector, cases }, span);
                }
                Statement::Loop { body, continuing, break_if } => {
                    let (body, continuing) = (self.block(function, body)?, self.block(function, continuing)?);
                    out.push(Statement::Loop { body, continuing, break_if }, span);
                }
                Statement::Store { pointer, value } => {
                    for (pointer, value) in self.stores(function, pointer, value)? {
                        out.push(Statement::Store { pointer, value }, span);
                    }
                }
                Statement::CooperativeStore { target, data } => {
                    let places = self.places(CooperativeRole::C)?;
                    let Some(parts) = self.parts(function, target, places.len()) else {
                        out.push(Statement::CooperativeStore { target, data }, span);
                        continue;
                    };
                    for (target, place) in parts.into_iter().zip(places) {
                        let data = self.moved(function, &data, place, &mut out)?;
                        out.push(Statement::CooperativeStore { target, data }, span);
                    }
                }
                other => out.push(other, span),
            }
        }
        Ok(out)
    }

    /// A store as those of the parts.
    fn stores(&self, function: &Function, pointer: Value, value: Value) -> Result<Vec<(Value, Value)>, String> {
        let Some(pointers) = self.variable(function, pointer) else { return Ok(vec![(pointer, value)]) };
        let values = self.parts(function, value, pointers.len());
        let values =
            values.ok_or_else(|| format!("a cooperative matrix comes from {:?}", function.expressions[value]))?;
        Ok(pointers.iter().copied().zip(values).collect())
    }

    /// The pointers to the parts of a variable, if this points to one that has parts.
    pub fn variable(&self, function: &Function, pointer: Value) -> Option<&Vec<Value>> {
        match function.expressions[pointer] {
            Expression::LocalVariable(variable) => self.variables.get(&variable),
            _ => None,
        }
    }

    /// The `count` parts of a value; `None` where it is no matrix of 16x16.
    pub fn parts(&self, function: &Function, value: Value, count: usize) -> Option<Vec<Value>> {
        match (self.values.get(&value), &function.expressions[value]) {
            (Some(parts), _) => Some(parts.clone()),
            (None, Expression::ZeroValue(ty)) if self.roles.contains_key(ty) => Some(vec![value; count]),
            (None, _) => None,
        }
    }

    /// What a range of expressions computes, matrices in parts.
    fn emitted(
        &mut self,
        function: &mut Function,
        range: Range<Expression>,
        span: Span,
        out: &mut Block,
    ) -> Result<(), String> {
        let mut plain = None;
        for handle in range {
            let mut parts = Block::new();
            if self.computed(function, handle, &mut parts)? {
                emit(plain.take(), span, out);
                parts.span_into_iter().for_each(|(statement, span)| out.push(statement, span));
            } else {
                plain = Some((plain.map_or(handle, |(first, _)| first), handle));
            }
        }
        emit(plain, span, out);
        Ok(())
    }
}

/// Computes expressions from the first to the last, if there are any.
pub(super) fn emit(bounds: Option<(Value, Value)>, span: Span, out: &mut Block) {
    if let Some((first, last)) = bounds {
        out.push(Statement::Emit(Range::new_from_bounds(first, last)), span);
    }
}
