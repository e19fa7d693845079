//! PyTorch's arguments of a golden case, with typed access.

use super::GoldenError;
use chiaro_graph::Axis;
use serde_json::Value;

/// Arguments by PyTorch's names; `null` means "not given".
#[derive(Clone, Debug)]
pub struct Attrs {
    case: String,
    values: Value,
}

impl Attrs {
    pub(super) fn new(case: &str, values: Value) -> Attrs {
        Attrs { case: case.to_string(), values }
    }

    /// The arguments as JSON.
    pub fn json(&self) -> &Value {
        &self.values
    }

    /// An error about this case.
    pub(super) fn error(&self, detail: String) -> GoldenError {
        GoldenError::Case { case: self.case.clone(), detail }
    }

    /// An argument of a type that `convert` takes.
    fn get<'a, T>(&'a self, key: &str, convert: impl FnOnce(&'a Value) -> Option<T>) -> Result<T, GoldenError> {
        convert(&self.values[key]).ok_or_else(|| self.error(format!("argument {key} = {}", self.values[key])))
    }

    /// True unless the argument is absent or `null`.
    pub fn given(&self, key: &str) -> bool {
        !self.values[key].is_null()
    }

    /// A number.
    ///
    /// # Errors
    /// If it is absent or no number; the same for the other accessors.
    pub fn number(&self, key: &str) -> Result<f64, GoldenError> {
        self.get(key, Value::as_f64)
    }

    /// A truth value.
    ///
    /// # Errors
    /// If it is absent or another type.
    pub fn flag(&self, key: &str) -> Result<bool, GoldenError> {
        self.get(key, Value::as_bool)
    }

    /// A text.
    ///
    /// # Errors
    /// If it is absent or another type.
    pub fn text(&self, key: &str) -> Result<&str, GoldenError> {
        self.get(key, Value::as_str)
    }

    /// A whole number.
    ///
    /// # Errors
    /// If it is absent or another type.
    pub fn integer(&self, key: &str) -> Result<i64, GoldenError> {
        self.get(key, Value::as_i64)
    }

    /// A list of whole numbers.
    ///
    /// # Errors
    /// If it is absent or another type.
    pub fn integers(&self, key: &str) -> Result<Vec<i64>, GoldenError> {
        self.get(key, |v| v.as_array()?.iter().map(Value::as_i64).collect())
    }

    /// A list of numbers that are not negative.
    ///
    /// # Errors
    /// If it is absent or another type.
    pub fn sizes(&self, key: &str) -> Result<Vec<usize>, GoldenError> {
        self.integers(key)?
            .into_iter()
            .map(|n| usize::try_from(n).map_err(|_| self.error(format!("{key} has the negative {n}"))))
            .collect()
    }

    /// Two sizes, rows then columns.
    ///
    /// # Errors
    /// If it is absent or another type.
    pub fn pair(&self, key: &str) -> Result<[usize; 2], GoldenError> {
        let sizes = self.sizes(key)?;
        sizes.try_into().map_err(|_| self.error(format!("{key} is no pair")))
    }

    /// An axis of a tensor of `rank` axes, negative ones counted from the end.
    ///
    /// # Errors
    /// If it is absent, another type or no axis.
    pub fn axis(&self, key: &str, rank: usize) -> Result<usize, GoldenError> {
        let axis = self.integer(key)?;
        axis.position(rank).ok_or_else(|| self.error(format!("{key} = {axis} of {rank} axes")))
    }
}
