//! Ctrl-C: once to stop after the step and save, twice to end at once.

use chiaro::train::Stop;

/// The exit code of a run that was interrupted, as shells have it for Ctrl-C.
pub const EXIT_CODE: u8 = 130;

/// A stop that Ctrl-C (or a request to terminate) asks for.
pub fn stop_on_ctrl_c() -> anyhow::Result<Stop> {
    let stop = Stop::default();
    let asked = stop.clone();
    ctrlc::set_handler(move || {
        if asked.request() {
            std::process::exit(i32::from(EXIT_CODE));
        }
        crate::output::note("\nstopping after this step; Ctrl-C again ends at once without saving");
    })?;
    Ok(stop)
}
