//! Runs the rows that were chosen, one after the other, and says what came of each.

use std::process::ExitCode;
use std::time::Duration;

use chiaro::graph::{DType, Peaks};
use chiaro::{Device, DeviceOptions};
use chiaro_bench::{Group, Rates, Workload};

use super::measure::{Limits, measure};
use super::predict::Predictor;
use super::report::{Missing, Report};
use super::{Args, Chosen, calls, model, singles, table};
use crate::output::{line, save};
use crate::usage::Usage;
use crate::waiting::Waiting;

/// Runs the rows.
pub fn run(args: &Args, chosen: &Chosen) -> anyhow::Result<ExitCode> {
    let detailed = args.json.is_some() || args.csv.is_some() || args.calls;
    let limits = Limits {
        wanted: seconds("--seconds", args.seconds)?,
        most: seconds("--limit", args.limit)?,
        calls: detailed.then_some(usize::from(args.runs)),
    };
    let options = args.switches.options(&args.device)?;
    let opening = Waiting::new("opening the device");
    let mut first = args.switches.open(&args.device, &options)?;
    drop(opening);
    line(&format!("device: {} ({})", first.name(), first.why()))?;
    let measuring = Waiting::new("measuring the roofline");
    // A device that cannot measure its own peaks still runs rows.
    let peaks = if args.no_roofline { None } else { first.backend().peaks().ok() };
    let rates = first
        .gpu()
        .zip(peaks.as_ref())
        .filter(|_| detailed && !chosen.cases.is_empty())
        .map(|(gpu, peaks)| model::at_hand(gpu, peaks));
    drop(measuring);
    if !args.no_roofline {
        table::peaks(peaks.as_ref())?;
    }
    let predictor = Predictor::new(peaks, limits.most, first.is_software());
    let report = Report::new(first.name(), peaks, args.switches.json());
    let mut run = BenchRun { args, options, limits, rates, predictor, report };
    for &peak in &chosen.peaks {
        match singles::peak(first.gpu(), peak) {
            Ok(row) => {
                line(&table::peak(&row))?;
                run.report.device_peaks.push(row);
            }
            Err(missing) => run.left_out(missing)?,
        }
    }
    drop(first);
    let mut section = None;
    for case in &chosen.cases {
        table::section(&mut section, case.group == Group::Step)?;
        run.row(case)?;
    }
    for case in &chosen.starts {
        run.start(case)?;
    }
    table::notes(&run.report)?;
    run.finish()
}

struct BenchRun<'a> {
    args: &'a Args,
    options: DeviceOptions,
    limits: Limits,
    /// The model of the device at hand.
    rates: Option<Rates>,
    predictor: Predictor,
    report: Report,
}

impl BenchRun<'_> {
    fn open(&self, options: &DeviceOptions) -> anyhow::Result<Device> {
        self.args.switches.open(&self.args.device, options)
    }

    fn left_out(&mut self, missing: Missing) -> anyhow::Result<()> {
        line(&missing.line())?;
        self.report.left_out.push(missing);
        Ok(())
    }

    /// Why a row is not run.
    fn reason(&self, case: &Workload) -> anyhow::Result<Option<String>> {
        match self.report.peaks {
            Some(Peaks { flops_f16: None, .. }) if case.dtype == DType::F16 => {
                Ok(Some("the device does not compute in f16".to_string()))
            }
            _ => self.predictor.too_long(case),
        }
    }

    /// One row: measured, left out with a reason, or failed with one.
    fn row(&mut self, case: &Workload) -> anyhow::Result<()> {
        if let Some(reason) = self.reason(case)? {
            return self.left_out(Missing::new(case, reason));
        }
        let waiting = Waiting::new(format!("measuring {}", case.name));
        // A device of its own for each row: buffers of earlier rows would count into its memory.
        let measured = self.open(&self.options).and_then(|mut device| {
            let (peaks, rates) = (self.report.peaks, self.rates);
            Ok(measure(device.backend(), case, &self.limits, peaks.as_ref(), rates.as_ref())?)
        });
        drop(waiting);
        match measured {
            Ok(row) => {
                self.predictor.learn(case.group, &row);
                line(&table::row(&row))?;
                if let Some(model) = &row.model {
                    line(&table::model(model, Some(row.device_seconds.unwrap_or(row.seconds))))?;
                }
                if self.args.calls {
                    table::calls(&row.calls)?;
                }
                self.report.rows.push(row);
            }
            Err(error) => self.failed(Missing::new(case, format!("{error:#}")))?,
        }
        Ok(())
    }

    fn start(&mut self, case: &Workload) -> anyhow::Result<()> {
        let Some(name) = singles::start_name(case) else { return Ok(()) };
        if let Some(reason) = self.reason(case)? {
            return self.left_out(Missing::named(&name, reason));
        }
        let waiting = Waiting::new(format!("measuring {name}"));
        let measured = singles::start(case, &self.options, |options| self.open(options));
        drop(waiting);
        match measured {
            Ok(row) => {
                line(&table::start(&row))?;
                self.report.starts.push(row);
            }
            Err(error) => self.failed(Missing::named(&name, format!("{error:#}")))?,
        }
        Ok(())
    }

    fn failed(&mut self, missing: Missing) -> anyhow::Result<()> {
        line(&format!("{}: {}", missing.name, missing.reason))?;
        self.report.failed.push(missing);
        Ok(())
    }

    /// Saves the report; the exit code is that of a failure where no row has figures.
    fn finish(&self) -> anyhow::Result<ExitCode> {
        let report = &self.report;
        if let Some(path) = &self.args.json {
            save(path, &serde_json::to_string_pretty(report)?)?;
        }
        if let Some(path) = &self.args.csv {
            let rows = report.rows.iter().map(|row| (row.name.as_str(), row.precision.as_str(), &row.calls[..]));
            save(path, &calls::csv(rows))?;
        }
        let nothing = report.rows.is_empty() && report.device_peaks.is_empty() && report.starts.is_empty();
        Ok(if nothing { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

fn seconds(option: &str, value: f64) -> anyhow::Result<Duration> {
    let message = || format!("{option} must be a number of at least 0, not {value}");
    Ok(Duration::try_from_secs_f64(value).map_err(|_| Usage(message()))?)
}
