//! Chiaro trains CNN image classifiers on any GPU: the facade library.
