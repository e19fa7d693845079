//! The table of op cases: every op and every elementwise row, at the shapes where implementations go wrong.

mod conv;
mod elementwise;
mod first_part;
mod half;
mod image;
mod index;
mod loss;
mod matmul;
mod movement;
mod norm;
mod pool;
mod random;
mod reduce;
mod sample_images;
mod second;
mod state;

use crate::case::Case;

/// Every case, in a fixed order.
pub fn cases() -> Vec<Case> {
    [
        elementwise::cases(),
        movement::cases(),
        reduce::cases(),
        matmul::cases(),
        conv::cases(),
        pool::cases(),
        first_part::cases(),
        norm::cases(),
        loss::cases(),
        index::cases(),
        image::cases(),
        sample_images::cases(),
        random::cases(),
        state::cases(),
        second::cases(),
        half::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
