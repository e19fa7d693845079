//! Arguments of builder calls: what the builder is given, and how it is written in Rust.

use super::recipe::Made;
use chiaro_graph::{
    AvgDivisor, ConvSpec, CrossEntropyOptions, DType, Elementwise, PoolSpec, RandomKind, ReduceKind, Reduction,
    ResizeMode, Var,
};

/// A value of a recipe: which step made it, and which of that step's results it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct V {
    /// Position of the step.
    pub step: usize,
    /// Position among its results.
    pub part: usize,
}

/// An argument of a builder call.
pub(super) trait Arg {
    /// What is made for the call, in terms of the graph's values.
    type Given;
    /// What is passed of it.
    type Passed<'a>
    where
        Self: 'a;
    /// Makes it.
    fn given(&self, made: &Made) -> Self::Given;
    /// Passes it.
    fn pass(given: &Self::Given) -> Self::Passed<'_>;
    /// Writes it as Rust; `name` writes a value.
    fn code(&self, name: &dyn Fn(V) -> String) -> String;
    /// Visits the values in it.
    fn values(&mut self, _visit: &mut dyn FnMut(&mut V)) {}
    /// Visits the extents in it that shrinking may change.
    fn extents(&mut self, _visit: &mut dyn FnMut(&mut usize)) {}
}

macro_rules! plain {
    ($($Type:ty: $prefix:literal),+) => { $(
        impl Arg for $Type {
            type Given = $Type;
            type Passed<'a> = $Type;
            fn given(&self, _: &Made) -> $Type { *self }
            fn pass(given: &$Type) -> $Type { *given }
            fn code(&self, _: &dyn Fn(V) -> String) -> String { format!(concat!($prefix, "{:?}"), self) }
        }
    )+ };
}

plain!(
    usize: "", bool: "", f64: "", Option<f64>: "", Option<usize>: "", [usize; 2]: "", [usize; 3]: "",
    DType: "DType::", Elementwise: "Elementwise::", ReduceKind: "ReduceKind::", RandomKind: "RandomKind::",
    AvgDivisor: "AvgDivisor::", ResizeMode: "ResizeMode::", Reduction: "Reduction::"
);

macro_rules! borrowed {
    ($($Type:ty => $Passed:ty, $extents:expr);+ $(;)?) => { $(
        impl Arg for $Type {
            type Given = $Type;
            type Passed<'a> = &'a $Passed;
            fn given(&self, _: &Made) -> $Type { self.clone() }
            fn pass(given: &$Type) -> &$Passed { given }
            fn code(&self, _: &dyn Fn(V) -> String) -> String { format!("&{self:?}") }
            fn extents(&mut self, visit: &mut dyn FnMut(&mut usize)) {
                let f: fn(&mut $Type, &mut dyn FnMut(&mut usize)) = $extents;
                f(self, visit);
            }
        }
    )+ };
}

borrowed! {
    ConvSpec => ConvSpec, |_, _| {};
    PoolSpec => PoolSpec, |_, _| {};
    Vec<usize> => [usize], |v, visit| v.iter_mut().for_each(visit);
    Vec<isize> => [isize], |_, _| {};
    Vec<f64> => [f64], |_, _| {};
}

impl Arg for V {
    type Given = Var;
    type Passed<'a> = Var;
    fn given(&self, made: &Made) -> Var {
        made[self.step][self.part]
    }
    fn pass(given: &Var) -> Var {
        *given
    }
    fn code(&self, name: &dyn Fn(V) -> String) -> String {
        name(*self)
    }
    fn values(&mut self, visit: &mut dyn FnMut(&mut V)) {
        visit(self);
    }
}

impl Arg for Option<V> {
    type Given = Option<Var>;
    type Passed<'a> = Option<Var>;
    fn given(&self, made: &Made) -> Option<Var> {
        self.map(|v| v.given(made))
    }
    fn pass(given: &Option<Var>) -> Option<Var> {
        *given
    }
    fn code(&self, name: &dyn Fn(V) -> String) -> String {
        self.map_or("None".into(), |v| format!("Some({})", name(v)))
    }
    fn values(&mut self, visit: &mut dyn FnMut(&mut V)) {
        self.iter_mut().for_each(visit);
    }
}

impl Arg for Vec<V> {
    type Given = Vec<Var>;
    type Passed<'a> = &'a [Var];
    fn given(&self, made: &Made) -> Vec<Var> {
        self.iter().map(|v| v.given(made)).collect()
    }
    fn pass(given: &Vec<Var>) -> &[Var] {
        given
    }
    fn code(&self, name: &dyn Fn(V) -> String) -> String {
        let names: Vec<String> = self.iter().map(|&v| name(v)).collect();
        format!("&[{}]", names.join(", "))
    }
    fn values(&mut self, visit: &mut dyn FnMut(&mut V)) {
        self.iter_mut().for_each(visit);
    }
}

/// [`CrossEntropyOptions`] over values of a recipe.
#[derive(Clone, Debug)]
pub(super) struct Entropy {
    pub class_weight: Option<V>,
    pub label_smoothing: f64,
    pub ignore_index: i32,
    pub reduction: Reduction,
}

impl Arg for Entropy {
    type Given = CrossEntropyOptions;
    type Passed<'a> = &'a CrossEntropyOptions;
    fn given(&self, made: &Made) -> CrossEntropyOptions {
        CrossEntropyOptions {
            class_weight: self.class_weight.given(made),
            label_smoothing: self.label_smoothing,
            ignore_index: self.ignore_index,
            reduction: self.reduction,
        }
    }
    fn pass(given: &CrossEntropyOptions) -> &CrossEntropyOptions {
        given
    }
    fn code(&self, name: &dyn Fn(V) -> String) -> String {
        let (weight, reduction) = (self.class_weight.code(name), self.reduction.code(name));
        let (smoothing, ignored) = (self.label_smoothing, self.ignore_index);
        format!(
            "&CrossEntropyOptions {{ class_weight: {weight}, label_smoothing: {smoothing:?}, ignore_index: {ignored}, \
             reduction: {reduction} }}"
        )
    }
    fn values(&mut self, visit: &mut dyn FnMut(&mut V)) {
        self.class_weight.values(visit);
    }
}
