//! Dense layers alone.

use crate::layers::{Activation, Dropout, Flatten, Linear, Sequential};

/// Two dense layers of 512 features with ReLU and dropout, and one of the classes: what Keras trains MNIST with first, 669,706
/// parameters for its images and 10 classes.
pub fn mlp(classes: usize) -> Sequential {
    let mut layers = Sequential::new().named("flatten", Flatten);
    for name in ["fc1", "fc2"] {
        layers = layers.named(name, Linear::new(512)).then(Activation::Relu).then(Dropout { p: 0.2 });
    }
    layers.named("fc3", Linear::new(classes))
}
