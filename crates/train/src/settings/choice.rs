//! Settings that are one of a few words.

use serde_json::Value;

use super::value::{Choice, SettingValue};

/// An enum whose members are words of options and files.
macro_rules! choices {
    ($( $(#[doc = $about:literal])+ $name:ident { $( $member:ident = $word:literal, $help:literal; )+ } )+) => { $(
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $( #[doc = $help] $member, )+ }

        impl $name {
            const ALL: &'static [(Self, Choice)] = &[$( (Self::$member, Choice { name: $word, help: $help }), )+];

            fn word(self) -> &'static str {
                match self { $( Self::$member => $word, )+ }
            }
        }

        impl SettingValue for $name {
            const KIND: &'static str = "choice";

            fn parse(text: &str) -> Result<Self, String> {
                let known = || Self::ALL.iter().map(|(_, choice)| choice.name).collect::<Vec<_>>().join(", ");
                let found = Self::ALL.iter().find(|(_, choice)| choice.name == text);
                found.map(|(value, _)| *value).ok_or_else(|| format!("{text:?} is none of {}", known()))
            }

            fn show(&self) -> String {
                self.word().to_string()
            }

            fn json(&self) -> Value {
                Value::from(self.word())
            }

            fn from_json(value: Value) -> Result<Self, String> {
                value.as_str().ok_or_else(|| format!("{value} is no word")).and_then(Self::parse)
            }

            fn choices() -> Vec<Choice> {
                Self::ALL.iter().map(|(_, choice)| *choice).collect()
            }
        }
    )+ };
}

choices! {
    /// How the learning rate changes over the run.
    ScheduleName {
        Constant = "constant", "Stays as it is";
        Step = "step", "Times gamma every so many epochs: a tenth after each third of the run";
        MultiStep = "multistep", "Times gamma at each milestone: a tenth at half and three quarters of the run";
        Exponential = "exponential", "Times gamma every epoch: down to a hundredth at the end of the run";
        Linear = "linear", "Evenly down to zero at the end of the run";
        Cosine = "cosine", "Half a cosine down to zero at the end of the run";
        Polynomial = "polynomial", "A power of the share of the run that is left";
        Plateau = "plateau", "Times gamma once the loss of evaluation has not fallen for more than the patience's epochs";
        OneCycle = "onecycle", "A cosine rise over three tenths of the run, then a fall to almost zero; warm-up is part of it";
    }

    /// What is made small in training. Of several labels an image each is taken by itself, focal or not, whichever is named.
    LossName {
        CrossEntropy = "cross-entropy", "Cross-entropy of the softmax; of several labels an image that of each";
        Focal = "focal", "Cross-entropy in which images that are right already count less";
        Bce = "bce", "Each class by itself: the mean of binary cross-entropies";
        Huber = "huber", "The Huber loss of the outputs beside 1 for the class and 0 for all others";
    }

    /// Which training images make an epoch.
    SamplingName {
        Shuffled = "shuffled", "Each image once";
        Balanced = "balanced", "Each class equally often: images of rare classes several times, of common ones not all";
    }

    /// What batch norms normalise by in training.
    NormsName {
        Batch = "batch", "Mean and variance of each batch, which the running ones follow; frozen parts keep theirs as they are";
        Still = "still", "The running mean and variance of the weights to begin with, which stay as they are";
    }

    /// Where the images are while a model is trained.
    Residency {
        Auto = "auto", "On the device, if it has the room";
        Off = "off", "With the host, which uploads each batch";
    }

    /// In which precision the layers of a training step compute. Weights, statistics and the optimizer are 32-bit always.
    PrecisionName {
        F32 = "f32", "32 bits";
        F16 = "f16", "Activations and copies of the weights in 16 bits, with a loss scale";
        Auto = "auto", "16 bits where the device gains by them, else 32";
    }
}
