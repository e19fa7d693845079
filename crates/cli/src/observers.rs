//! Several observers of one run.

use chiaro::train::{Event, Observer};

/// Passes every event on to all, in their order.
#[derive(Default)]
pub struct Observers<'a>(pub Vec<&'a mut dyn Observer>);

impl Observer for Observers<'_> {
    fn event(&mut self, event: &Event<'_>) {
        self.0.iter_mut().for_each(|observer| observer.event(event));
    }
}
