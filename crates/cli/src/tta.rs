//! The option `--tta` of what uses a trained model.

use chiaro::nn::Views;

/// Which views of an image a model is asked about.
#[derive(clap::Args)]
pub struct Tta {
    /// Average the model's outputs over several views of each image: more accurate, and as many times slower
    #[arg(long = "tta", value_name = "VIEWS", default_value = "none", default_missing_value = "mirror", num_args = 0..=1, require_equals = true)]
    tta: Name,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Name {
    /// The image alone
    None,
    /// The image and its mirror image
    Mirror,
    /// Both, and both again shifted by a pixel either way
    Shift,
}

impl Tta {
    pub fn views(&self) -> Views {
        match self.tta {
            Name::None => Views::One,
            Name::Mirror => Views::Mirrored,
            Name::Shift => Views::Shifted,
        }
    }
}
