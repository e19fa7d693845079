//! Arguments of builder calls: what the builder is given, and how it is written in Rust.

use super::recipe::Made;
use chiaro_graph::{
    AvgDivisor, ConvSpec, CrossEntropyOptions, DType, Elementwise, PoolSpec, RandomKind, ReduceKind, Reduction,
    ResizeMode, SampleBy, Sampling, Var,
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
    /// Simpler ones to put in its place.
    fn simpler(&self) -> Vec<Self>
    where
        Self: Sized,
    {
        vec![]
    }
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
    usize: "", f64: "", Option<f64>: "", Option<usize>: "", [usize; 2]: "", [usize; 3]: "",
    DType: "DType::", Elementwise: "Elementwise::", ReduceKind: "ReduceKind::", RandomKind: "RandomKind::",
    AvgDivisor: "AvgDivisor::", ResizeMode: "ResizeMode::", Reduction: "Reduction::"
);

impl Arg for Sampling {
    type Given = Sampling;
    type Passed<'a> = Sampling;
    fn given(&self, _: &Made) -> Sampling {
        *self
    }
    fn pass(given: &Sampling) -> Sampling {
        *given
    }
    fn code(&self, _: &dyn Fn(V) -> String) -> String {
        let Sampling { source, size, edge } = self;
        format!("Sampling {{ source: {source:?}, size: {size:?}, edge: Edge::{edge:?} }}")
    }
}

impl Arg for bool {
    type Given = bool;
    type Passed<'a> = bool;
    fn given(&self, _: &Made) -> bool {
        *self
    }
    fn pass(given: &bool) -> bool {
        *given
    }
    fn code(&self, _: &dyn Fn(V) -> String) -> String {
        self.to_string()
    }
    fn simpler(&self) -> Vec<bool> {
        if *self { vec![false] } else { vec![] }
    }
}

macro_rules! borrowed {
    ($($Type:ty => $Passed:ty, $extents:expr, $simpler:expr);+ $(;)?) => { $(
        impl Arg for $Type {
            type Given = $Type;
            type Passed<'a> = &'a $Passed;
            fn given(&self, _: &Made) -> $Type { self.clone() }
            fn pass(given: &$Type) -> &$Passed { given }
            fn code(&self, _: &dyn Fn(V) -> String) -> String { written(self) }
            fn extents(&mut self, visit: &mut dyn FnMut(&mut usize)) {
                let f: fn(&mut $Type, &mut dyn FnMut(&mut usize)) = $extents;
                f(self, visit);
            }
            fn simpler(&self) -> Vec<$Type> {
                let f: fn(&$Type) -> Vec<$Type> = $simpler;
                f(self)
            }
        }
    )+ };
}

/// A borrowed argument; an empty list of axes tells its type.
fn written(value: &dyn std::fmt::Debug) -> String {
    let text = format!("&{value:?}");
    if text == "&[]" { "&[0usize; 0]".into() } else { text }
}

borrowed! {
    ConvSpec => ConvSpec, |_, _| {}, simpler_conv;
    PoolSpec => PoolSpec, |_, _| {}, simpler_pool;
    Vec<usize> => [usize], |v, visit| v.iter_mut().for_each(visit), |_| vec![];
    Vec<isize> => [isize], |_, _| {}, |v| if v.iter().all(|&s| s == 1) { vec![] } else { vec![vec![1; v.len()]] };
    Vec<f64> => [f64], |_, _| {}, |_| vec![];
}

/// The same with one kind of option as if it had not been given.
fn simpler_conv(spec: &ConvSpec) -> Vec<ConvSpec> {
    let usual = ConvSpec::default();
    let mut all = vec![
        ConvSpec { padding: usual.padding, ..spec.clone() },
        ConvSpec { stride: usual.stride, ..spec.clone() },
        ConvSpec { dilation: usual.dilation, ..spec.clone() },
        ConvSpec { groups: usual.groups, ..spec.clone() },
    ];
    all.retain(|s| s != spec);
    all
}

/// The same with one kind of option as if it had not been given.
fn simpler_pool(spec: &PoolSpec) -> Vec<PoolSpec> {
    let mut all = vec![
        PoolSpec { padding: [0; 2], ..spec.clone() },
        PoolSpec { stride: [1; 2], ..spec.clone() },
        PoolSpec { dilation: [1; 2], ..spec.clone() },
        PoolSpec { ceil_mode: false, ..spec.clone() },
        PoolSpec { kernel: [1; 2], padding: [0; 2], ..spec.clone() },
    ];
    all.retain(|s| s != spec);
    all
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
    fn simpler(&self) -> Vec<Option<V>> {
        if self.is_some() { vec![None] } else { vec![] }
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
    fn simpler(&self) -> Vec<Vec<V>> {
        let without = |i: usize| [&self[..i], &self[i + 1..]].concat();
        (0..self.len()).map(without).filter(|v| !v.is_empty()).collect()
    }
}

/// [`SampleBy`] over values of a recipe.
#[derive(Clone, Debug)]
pub(super) struct SampledBy {
    pub place: Option<V>,
    pub colour: Option<V>,
    pub changes: Option<V>,
    pub tones: Option<V>,
}

impl Arg for SampledBy {
    type Given = SampleBy;
    type Passed<'a> = SampleBy;
    fn given(&self, made: &Made) -> SampleBy {
        let [place, colour, changes, tones] =
            [self.place, self.colour, self.changes, self.tones].map(|v| v.given(made));
        SampleBy { place, colour, changes, tones }
    }
    fn pass(given: &SampleBy) -> SampleBy {
        *given
    }
    fn code(&self, name: &dyn Fn(V) -> String) -> String {
        let [place, colour, changes, tones] = [self.place, self.colour, self.changes, self.tones].map(|v| v.code(name));
        format!("SampleBy {{ place: {place}, colour: {colour}, changes: {changes}, tones: {tones} }}")
    }
    fn values(&mut self, visit: &mut dyn FnMut(&mut V)) {
        let all = [&mut self.place, &mut self.colour, &mut self.changes, &mut self.tones];
        all.into_iter().flatten().for_each(visit);
    }
    fn simpler(&self) -> Vec<SampledBy> {
        let all = [
            (self.place, SampledBy { place: None, ..self.clone() }),
            (self.colour, SampledBy { colour: None, ..self.clone() }),
            (self.changes, SampledBy { changes: None, ..self.clone() }),
            (self.tones, SampledBy { tones: None, ..self.clone() }),
        ];
        all.into_iter().filter(|(there, _)| there.is_some()).map(|(_, without)| without).collect()
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
    fn simpler(&self) -> Vec<Entropy> {
        let plain = Entropy { class_weight: None, label_smoothing: 0.0, ignore_index: -100, ..self.clone() };
        if self.class_weight.is_some() || self.label_smoothing > 0.0 { vec![plain] } else { vec![] }
    }
}
