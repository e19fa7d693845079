//! The clock of everything that may run in a browser, where the standard library's panics: there it is the page's own.

pub use web_time::Instant;
