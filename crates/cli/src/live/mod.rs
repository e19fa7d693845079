//! The live view of a run on a terminal: some lines that are drawn anew in their place, below what was told.

mod braille;
mod screen;
mod text;
pub mod view;

pub use screen::Screen;
pub use text::lines;
