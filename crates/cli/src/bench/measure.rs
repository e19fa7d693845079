//! One row: a workload run until the time is up, and the figures of its fastest run.

use std::time::{Duration, Instant};

use chiaro::graph::{Backend, BackendError, Call, Clock, Peaks};
use chiaro_bench::{Group, Rates, Session, Workload};

use super::calls::CallRow;
use super::model::Predicted;
use super::report::{ReportRow, precision};

/// How long a row takes.
pub struct Limits {
    /// Time to measure for.
    pub wanted: Duration,
    /// Time after which a row ends with the runs it has.
    pub most: Duration,
    /// Runs that are timed dispatch by dispatch, where dispatches are told one by one.
    pub calls: Option<usize>,
}

/// Seconds of several runs.
struct Times {
    clock: Clock,
    seconds: Vec<f64>,
    runs: u64,
}

impl Times {
    fn push(&mut self, seconds: f64, runs: u64) {
        self.seconds.push(seconds);
        self.runs += runs;
    }

    /// Whether to go on, where the row began at `row` and these times at `started`: three measurements at least, unless they
    /// take too long.
    fn go_on(&self, row: Instant, started: Instant, limits: &Limits) -> bool {
        row.elapsed() < limits.most && (self.seconds.len() < 3 || started.elapsed() < limits.wanted)
    }
}

/// Measures a workload.
pub fn measure(
    backend: &mut dyn Backend,
    case: &Workload,
    limits: &Limits,
    peaks: Option<&Peaks>,
    model: Option<&Rates>,
) -> Result<ReportRow, BackendError> {
    let started = Instant::now();
    let session = Session::new(backend, case)?;
    let compile_seconds = started.elapsed().as_secs_f64();
    let calls = session.calls(backend).unwrap_or_default();
    let row = Instant::now();
    // The first run may still compile, allocate, or warm caches up.
    let first_run_seconds = timed(&session, backend, 1)?;
    let before = backend.stats();
    let one = timed(&session, backend, 1)?;
    let after = backend.stats();
    let peak_bytes = after.bytes;
    // The plain loop first, for its counters as much as for its time.
    let mut times = host_times(&session, backend, one, row, limits)?;
    let steady = backend.stats();
    let profiled = profiles(&session, backend, row, limits, case.group == Group::Step);
    let device = profiled.device;
    let device_seconds = device.as_ref().map(|times| sorted(times)[0]);
    if case.group != Group::Step
        && let Some(device) = device
    {
        times = device;
    }
    let seconds = sorted(&times);
    let work = MeasuredWork::of(&calls, peaks);
    let fastest = seconds[0];
    // A row whose second run took up its time has no more than that one.
    let counted = (steady.submissions - before.submissions) / (after.submissions - before.submissions).max(1);
    let encode_nanoseconds = steady.encode_nanoseconds - before.encode_nanoseconds;
    Ok(ReportRow {
        name: case.name.clone(),
        precision: precision(case.dtype),
        clock: times.clock.name(),
        runs: times.runs,
        seconds: fastest,
        median_seconds: seconds[seconds.len() / 2],
        compile_seconds,
        first_run_seconds,
        flop: work.flop,
        gflop_per_second: work.flop as f64 / fastest / 1e9,
        moved_bytes: work.bytes,
        gb_per_second: work.bytes as f64 / fastest / 1e9,
        bound_seconds: work.bound,
        roofline_percent: work.bound.map(|bound| 100.0 * bound / fastest),
        bound_by_compute: work.by_compute,
        dispatches: after.dispatches - before.dispatches,
        submissions: after.submissions - before.submissions,
        peak_bytes,
        images_per_second: case.images.map(|images| images as f64 / fastest),
        host_encode_seconds: encode_nanoseconds as f64 * 1e-9 / counted.max(1) as f64,
        device_seconds,
        model: model.filter(|_| limits.calls.is_some()).map(|rates| Predicted::of(rates, &calls)),
        calls: match limits.calls {
            Some(_) => call_rows(&calls, &profiled.calls, peaks, model),
            None => vec![],
        },
    })
}

/// Seconds of one run out of several that are waited for together.
fn timed(session: &Session, backend: &mut dyn Backend, runs: u64) -> Result<f64, BackendError> {
    let started = Instant::now();
    session.run(backend, runs)?;
    Ok(started.elapsed().as_secs_f64() / runs as f64)
}

/// Times by the host's clock, where one run takes about `one` seconds.
fn host_times(
    session: &Session,
    backend: &mut dyn Backend,
    one: f64,
    row: Instant,
    limits: &Limits,
) -> Result<Times, BackendError> {
    // Waiting costs: short runs are waited for many at a time.
    let together = (2e-3 / one.max(1e-9)).ceil().clamp(1.0, 100.0) as u64;
    let started = Instant::now();
    let mut times = Times { clock: Clock::Host, seconds: vec![one], runs: 1 };
    while times.go_on(row, started, limits) {
        times.push(timed(session, backend, together)?, together);
    }
    Ok(times)
}

/// What runs that were timed dispatch by dispatch told.
struct Profiles {
    /// Seconds of all kernels of a run by the device's clock; absent where it has none or its times make no sense.
    device: Option<Times>,
    /// The times of each dispatch.
    calls: Vec<Vec<f64>>,
}

/// Runs that are timed dispatch by dispatch. Of a step a few will do; where nobody asks for dispatches, only the device's own
/// clock is of use.
fn profiles(session: &Session, backend: &mut dyn Backend, row: Instant, limits: &Limits, few: bool) -> Profiles {
    let started = Instant::now();
    let mut device = Times { clock: Clock::Device, seconds: vec![], runs: 0 };
    let mut calls: Vec<Vec<f64>> = vec![];
    let (mut runs, mut sane) = (0, true);
    let wanted = limits.calls.unwrap_or(3);
    while runs == 0 || (row.elapsed() < limits.most && (runs < wanted || (!few && started.elapsed() < limits.wanted))) {
        let run = Instant::now();
        let Ok(profile) = session.profile(backend) else { break };
        let seconds = profile.call_seconds();
        sane &= profile.clock == Clock::Device && seconds > 0.0 && seconds <= run.elapsed().as_secs_f64();
        if !sane && limits.calls.is_none() {
            break;
        }
        device.push(seconds, 1);
        calls.resize(profile.calls.len(), vec![]);
        calls.iter_mut().zip(&profile.calls).for_each(|(times, call)| times.push(call.seconds));
        runs += 1;
    }
    Profiles { device: (sane && runs > 0).then_some(device), calls }
}

fn call_rows(calls: &[Call], times: &[Vec<f64>], peaks: Option<&Peaks>, model: Option<&Rates>) -> Vec<CallRow> {
    let times = |i: usize| times.get(i).map_or(&[][..], Vec::as_slice);
    calls.iter().enumerate().map(|(i, call)| CallRow::new(call, times(i), peaks, model)).collect()
}

fn sorted(times: &Times) -> Vec<f64> {
    let mut seconds = times.seconds.clone();
    seconds.sort_by(f64::total_cmp);
    seconds
}

/// The work of a run.
struct MeasuredWork {
    flop: u64,
    bytes: u64,
    bound: Option<f64>,
    by_compute: Option<f64>,
}

impl MeasuredWork {
    fn of(calls: &[Call], peaks: Option<&Peaks>) -> MeasuredWork {
        let peaks = peaks.filter(|_| !calls.is_empty());
        let bound = peaks.map(|p| p.bound(calls));
        let computing = |p: &Peaks| {
            let limited = |c: &&Call| c.flops as f64 / p.flops > c.bytes as f64 / p.bytes;
            p.bound(calls.iter().filter(limited))
        };
        MeasuredWork {
            flop: calls.iter().map(|c| c.flops).sum(),
            bytes: calls.iter().map(|c| c.bytes).sum(),
            bound,
            by_compute: peaks.zip(bound).map(|(p, bound)| computing(p) / bound.max(1e-30)),
        }
    }
}
