//! The expressions of a function whose matrices are taken apart.

use wgpu::naga::{
    BinaryOperator, Block, CooperativeData, CooperativeRole, CooperativeSize, Expression, Function, Literal, Span,
};

use super::extents;
use super::parts::{Parts, Value, emit};

impl Parts<'_> {
    /// Computes the parts of an expression; `false`, and nothing, where its value is no matrix of 16x16.
    ///
    /// # Errors
    /// A use of matrices that is not known here.
    pub fn computed(&mut self, function: &mut Function, handle: Value, out: &mut Block) -> Result<bool, String> {
        let parts = match function.expressions[handle].clone() {
            Expression::Load { pointer } => match self.variable(function, pointer).cloned() {
                Some(pointers) => {
                    pointers.into_iter().map(|p| compute(function, Expression::Load { pointer: p }, out)).collect()
                }
                None => return Ok(false),
            },
            Expression::CooperativeLoad {
                columns: CooperativeSize::Sixteen,
                rows: CooperativeSize::Sixteen,
                role,
                data,
            } => self.loaded(function, role, &data, out)?,
            Expression::CooperativeMultiplyAdd { a, b, c } => match self.multiplied(function, [a, b, c], out) {
                Some(parts) => parts,
                None => return Ok(false),
            },
            _ => return Ok(false),
        };
        self.values.insert(handle, parts);
        Ok(true)
    }

    fn loaded(
        &self,
        function: &mut Function,
        role: CooperativeRole,
        data: &CooperativeData,
        out: &mut Block,
    ) -> Result<Vec<Value>, String> {
        let [rows, columns] = extents(self.shape, role)?;
        let load = |place| {
            let data = self.moved(function, data, place, out)?;
            Ok(compute(function, Expression::CooperativeLoad { columns, rows, role, data }, out))
        };
        self.places(role)?.into_iter().map(load).collect()
    }

    /// Parts of a product: each is the sum of the products along the terms, in their order. `None` of matrices that have no parts.
    fn multiplied(&self, function: &mut Function, [a, b, c]: [Value; 3], out: &mut Block) -> Option<Vec<Value>> {
        let [rows, columns, terms] = self.shape.map(|extent| (16 / extent) as usize);
        let (a, b) = (self.parts(function, a, rows * terms)?, self.parts(function, b, terms * columns)?);
        let mut parts = self.parts(function, c, rows * columns)?;
        for (at, sum) in parts.iter_mut().enumerate() {
            let (row, column) = (at / columns, at % columns);
            for term in 0..terms {
                let (a, b) = (a[row * terms + term], b[term * columns + column]);
                *sum = compute(function, Expression::CooperativeMultiplyAdd { a, b, c: *sum }, out);
            }
        }
        Some(parts)
    }

    /// The memory of the part at a place of the matrix that lies in `data`.
    ///
    /// # Errors
    /// Memory that is no element of an array, or rows whose distance is not known.
    pub fn moved(
        &self,
        function: &mut Function,
        data: &CooperativeData,
        [row, column]: [u32; 2],
        out: &mut Block,
    ) -> Result<CooperativeData, String> {
        if [row, column] == [0, 0] {
            return Ok(*data);
        }
        let unknown = || "a cooperative matrix lies in memory that is not known to have parts".to_owned();
        let pointer = function.expressions[data.pointer].clone();
        let (Expression::Access { base, .. } | Expression::AccessIndex { base, .. }) = pointer else {
            return Err(unknown());
        };
        let Expression::GlobalVariable(array) = function.expressions[base] else { return Err(unknown()) };
        let Expression::Literal(Literal::U32(stride)) = function.expressions[data.stride] else {
            return Err(unknown());
        };
        let lanes = self.lanes.get(&array).ok_or_else(unknown)?;
        let (along, across) = if data.row_major { (column, row) } else { (row, column) };
        let by = across * stride + along / lanes;
        let moved = match pointer {
            Expression::AccessIndex { index, .. } => Expression::AccessIndex { base, index: index + by },
            Expression::Access { index: left, .. } => {
                let right = function.expressions.append(Expression::Literal(Literal::U32(by)), Span::default());
                let sum = Expression::Binary { op: BinaryOperator::Add, left, right };
                Expression::Access { base, index: compute(function, sum, out) }
            }
            _ => return Err(unknown()),
        };
        let pointer = compute(function, moved, out);
        Ok(CooperativeData { pointer, ..*data })
    }
}

/// One more expression, computed here.
fn compute(function: &mut Function, expression: Expression, out: &mut Block) -> Value {
    let handle = function.expressions.append(expression, Span::default());
    emit(Some((handle, handle)), Span::default(), out);
    handle
}
