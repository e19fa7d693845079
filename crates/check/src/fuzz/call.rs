//! The table of builder calls that random graphs are made of: a row makes a method known to the generator, the shrinker and the printer.

use super::arg::{Arg, Entropy, SampledBy, V};
use super::recipe::Made;
use chiaro_graph::{
    AvgDivisor, ConvSpec, DType, Elementwise, Graph, PoolSpec, RandomKind, ReduceKind, Reduction, ResizeMode, Result,
    Sampling, Var,
};

/// What a method returns unless it fails: one value, two, or a list.
macro_rules! returned {
    (vars One $e:expr) => {
        $e.map(|v| vec![v])
    };
    (vars Pair $e:expr) => {
        $e.map(|(a, b)| vec![a, b])
    };
    (vars List $e:expr) => {
        $e
    };
    (part Pair $part:expr) => {
        format!(".{}", $part)
    };
    (part List $part:expr) => {
        format!("[{}]", $part)
    };
    (part $other:ident $part:expr) => {
        String::new()
    };
}

macro_rules! calls {
    ($( $returns:ident $Call:ident = $method:ident($($arg:ident: $Type:ty),*); )+) => {
        /// A call of a builder method.
        #[derive(Clone, Debug)]
        pub(super) enum Call { $( $Call { $($arg: $Type),* } ),+ }

        impl Call {
            /// Calls the method.
            pub fn apply(&self, g: &mut Graph, made: &Made) -> Result<Vec<Var>> {
                match self { $( Call::$Call { $($arg),* } => {
                    $( let $arg = Arg::given($arg, made); )*
                    returned!(vars $returns g.$method($( <$Type as Arg>::pass(&$arg) ),*))
                } ),+ }
            }

            /// The call as Rust.
            pub fn code(&self, name: &dyn Fn(V) -> String) -> String {
                match self { $( Call::$Call { $($arg),* } => {
                    let arguments: Vec<String> = vec![$( $arg.code(name) ),*];
                    format!("g.{}({})?", stringify!($method), arguments.join(", "))
                } ),+ }
            }

            /// How one of the results is taken from what the method returns.
            pub fn part(&self, part: usize) -> String {
                let _ = part;
                match self { $( Call::$Call { .. } => returned!(part $returns part) ),+ }
            }

            /// Visits the operands.
            pub fn values(&mut self, visit: &mut dyn FnMut(&mut V)) {
                match self { $( Call::$Call { $($arg),* } => { $( $arg.values(visit); )* } ),+ }
            }

            /// Calls with one argument made simpler.
            pub fn simpler(&self) -> Vec<Call> {
                let mut all = vec![];
                match self { $( Call::$Call { $($arg),* } => { $(
                    for simpler in $arg.simpler() {
                        let mut changed = self.clone();
                        if let Call::$Call { $arg: place, .. } = &mut changed {
                            *place = simpler;
                        }
                        all.push(changed);
                    }
                )* } ),+ }
                all
            }

            /// Visits the extents among the arguments.
            pub fn extents(&mut self, visit: &mut dyn FnMut(&mut usize)) {
                match self { $( Call::$Call { $($arg),* } => { $( $arg.extents(visit); )* } ),+ }
            }
        }
    };
}

calls! {
    One Scalar = scalar(value: f64, dtype: DType);
    One Full = full(shape: Vec<usize>, value: f64, dtype: DType);
    One Iota = iota(n: usize);
    One Random = random(kind: RandomKind, shape: Vec<usize>, key: V);
    One Dropout = dropout(x: V, p: f64, key: V);

    One Map = map(op: Elementwise, operands: Vec<V>);
    One MapScalars = map_scalars(op: Elementwise, x: V, numbers: Vec<f64>);
    One Powf = powf(x: V, exponent: f64);
    One Clamp = clamp(x: V, min: Option<f64>, max: Option<f64>);
    One Cast = cast(x: V, dtype: DType);
    One Detach = detach(x: V);
    One Widened = widened(x: V);

    One Reshape = reshape(x: V, shape: Vec<usize>);
    One BroadcastTo = broadcast_to(x: V, shape: Vec<usize>);
    One Transpose = transpose(x: V, perm: Vec<usize>);
    One Slice = slice(x: V, start: Vec<usize>, len: Vec<usize>, step: Vec<isize>);
    One Narrow = narrow(x: V, axis: usize, start: usize, end: usize);
    One Pad = pad(x: V, low: Vec<usize>, high: Vec<usize>, value: f64);
    One Concat = concat(operands: Vec<V>, axis: usize);

    One Reduce = reduce(kind: ReduceKind, x: V, axes: Vec<usize>, keepdim: bool);
    One SumAll = sum_all(x: V);
    One Mean = mean(x: V, axes: Vec<usize>, keepdim: bool);
    One Variance = var(x: V, axes: Vec<usize>, keepdim: bool, correction: f64);
    One ArgReduce = arg_reduce(kind: ReduceKind, x: V, axis: usize, keepdim: bool);
    One SelectExtreme = select_extreme(kind: ReduceKind, x: V, axis: usize, keepdim: bool);

    One MatMul = matmul(a: V, b: V, ta: bool, tb: bool);
    One Linear = linear(x: V, weight: V, bias: Option<V>);
    One Conv2d = conv2d(x: V, weight: V, spec: ConvSpec);
    One ConvTranspose2d = conv_transpose2d(x: V, weight: V, spec: ConvSpec, output_padding: [usize; 2]);

    One MaxPool2d = max_pool2d(x: V, spec: PoolSpec);
    One MaxPool2dIndex = max_pool2d_index(x: V, spec: PoolSpec);
    One AvgPool2d = avg_pool2d(x: V, spec: PoolSpec, divisor: AvgDivisor);
    One GlobalAvgPool2d = global_avg_pool2d(x: V);
    One AdaptiveAvgPool2d = adaptive_avg_pool2d(x: V, out: [usize; 2]);
    One AdaptiveMaxPool2d = adaptive_max_pool2d(x: V, out: [usize; 2]);
    One Resize2d = resize2d(x: V, out: [usize; 2], mode: ResizeMode);

    Pair BatchNorm = batch_norm(x: V, scale: V, shift: V, eps: f64);
    One Normalise = normalise(x: V, mean: V, variance: V, scale: Option<V>, shift: Option<V>, eps: f64);
    One LayerNorm = layer_norm(x: V, axes: usize, scale: Option<V>, shift: Option<V>, eps: f64);
    One GroupNorm = group_norm(x: V, groups: usize, scale: Option<V>, shift: Option<V>, eps: f64);
    One Softmax = softmax(x: V, axis: usize, log: bool);

    One CrossEntropy = cross_entropy(logits: V, target: V, options: Entropy);
    One NllLoss = nll_loss(log_p: V, target: V, options: Entropy);
    One MseLoss = mse_loss(x: V, target: V, reduction: Reduction);
    One L1Loss = l1_loss(x: V, target: V, reduction: Reduction);
    One HuberLoss = huber_loss(x: V, target: V, delta: f64, reduction: Reduction);
    One SmoothL1Loss = smooth_l1_loss(x: V, target: V, beta: f64, reduction: Reduction);
    One BceWithLogits = bce_with_logits(x: V, target: V, pos_weight: Option<V>, reduction: Reduction);

    One Gather = gather(x: V, index: V, axis: usize);
    One IndexSelect = index_select(x: V, index: V, axis: usize);
    One Embedding = embedding(weight: V, index: V, padding_index: Option<usize>);
    One OneHot = one_hot(index: V, classes: usize, dtype: DType);
    One SampleImages = sample_images(pixels: V, chosen: V, normalization: V, by: SampledBy, sampling: Sampling);
    One ToneTables = tone_tables(pixels: V, chosen: V, tone: V, source: [usize; 3]);

    List Grad = grad(y: V, cotangent: Option<V>, wrt: Vec<V>);
}
