//! What a device answers later: the form of everything that waits for one.

use std::future::{Future, ready};
use std::pin::Pin;

use crate::backend::BackendError;

/// What a device answers later. It borrows nothing, so that a backend can be used while answers are outstanding, and two tasks of a
/// browser can share one. It is driven by whoever awaits it: on native systems each look asks the device.
pub type Later<T> = Pin<Box<dyn Future<Output = Result<T, BackendError>>>>;

/// What is known already.
pub fn at_once<T: 'static>(known: Result<T, BackendError>) -> Later<T> {
    Box::pin(ready(known))
}
