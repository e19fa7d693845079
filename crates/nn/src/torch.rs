//! How PyTorch lays out what a model keeps.

use crate::declare::{DeclaredState, LayerInfo};
use crate::models::Model;
use chiaro_graph::shape::count;

impl Model {
    /// Where each element of a state stands in PyTorch's tensor of the same name, by its place here: PyTorch has convolutions
    /// `[O,I,KH,KW]`, and the columns of a dense layer behind [`Flatten`](crate::Flatten) in order of channel, row, column.
    pub fn torch_order(&self, state: &DeclaredState) -> Vec<usize> {
        match (&state.shape[..], self.flattened(&state.name)) {
            (&[o, h, w, i], _) => channels_first([o, h, w, i]),
            (&[out, columns], Some([h, w, c])) if h * w * c == columns => channels_first([out, h, w, c]),
            (shape, _) => (0..count(shape)).collect(),
        }
    }

    /// The images whose pixels are the columns of this weight, if it is that of the first dense layer behind a [`Flatten`](crate::Flatten).
    fn flattened(&self, name: &str) -> Option<[usize; 3]> {
        let path = name.strip_suffix(".weight")?.replace('.', "/");
        let layers = &self.declared().layers;
        let at = layers.iter().position(|layer| layer.path == path)?;
        let before = layers[..at].iter().rposition(|layer| matches!(layer.kind, "Flatten" | "Linear"))?;
        if layers[before].kind != "Flatten" {
            return None;
        }
        let image = |layer: &LayerInfo| match layer.output[..] {
            [_, h, w, c] => Some([h, w, c]),
            _ => None,
        };
        layers[..before].last().map_or(Some(self.image), image)
    }
}

/// Where the elements of `[a,h,w,c]` stand in `[a,c,h,w]`.
fn channels_first([a, h, w, c]: [usize; 4]) -> Vec<usize> {
    let mut places = Vec::with_capacity(a * h * w * c);
    for i in 0..a {
        for y in 0..h {
            for x in 0..w {
                places.extend((0..c).map(|k| ((i * c + k) * h + y) * w + x));
            }
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use crate::models::by_name;

    #[test]
    fn convolutions_and_the_dense_layer_behind_flattened_pixels_are_reordered_and_no_others() {
        let model = by_name("tutorial-cnn", 5, [10, 10, 3]).expect("fits");
        let order = |name: &str| {
            let state = model.declared().states.iter().find(|s| s.name == name).expect("a state");
            model.torch_order(state)
        };
        // [32,3,3,3]: the second element is the first pixel of the second channel.
        assert_eq!(order("conv1.weight")[..4], [0, 9, 18, 1]);
        // One pixel of 64 channels, as in both orders.
        assert_eq!(order("fc1.weight")[..3], [0, 1, 2]);
        let model = by_name("mnist-cnn", 5, [8, 8, 1]).expect("fits");
        let state = model.declared().states.iter().find(|s| s.name == "fc1.weight").expect("a state");
        assert_eq!(model.torch_order(state)[..3], [0, 4, 8], "2x2 pixels of 64 channels");
        let state = model.declared().states.iter().find(|s| s.name == "fc2.weight").expect("a state");
        assert_eq!(model.torch_order(state)[..3], [0, 1, 2]);
    }
}
