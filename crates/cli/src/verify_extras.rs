//! What `chiaro verify` checks beside the table of cases: whole models as they are trained, and tensors too large for a table.

use std::collections::BTreeMap;
use std::time::Instant;

use chiaro::cpu::reference::Reference;
use chiaro::graph::HalfPrecision;
use chiaro::nn::Model;
use chiaro::train::at_once;
use chiaro::{Device, DeviceKind};
use chiaro_check::large::{beyond_four_gigabytes, bytes_beyond, large};
use chiaro_check::verify::{CaseReport, verify_graph};

use crate::check_model::Step;
use crate::device;
use crate::output::bytes;
use crate::waiting::Waiting;

/// What to check on a device.
pub struct Extras<'a> {
    pub model: &'a Model,
    /// Images of the steps that are compared as they are trained.
    pub batch: usize,
    pub filter: Option<&'a str>,
    /// Among all of these, the one whose result is corrupted.
    pub corrupt: Option<usize>,
    pub deadline: Option<Instant>,
    pub waiting: &'a Waiting,
}

/// The rows, and what did not run and why.
#[derive(Default)]
pub struct Found {
    pub rows: Vec<CaseReport>,
    pub left_out: Vec<String>,
}

impl Extras<'_> {
    /// Runs the checks.
    pub fn run(&self, device: &mut Device) -> anyhow::Result<Found> {
        let mut found = Found::default();
        let few = Step::few();
        self.step(&Step { batch: at_once(self.model, few.batch), ..few }, device, None, &mut found)?;
        if device.kind() != DeviceKind::Gpu {
            return Ok(found);
        }
        let mut right = device::open("cpu", None, false)?;
        let batch = at_once(self.model, self.batch);
        self.step(&Step::trained(batch), device, Some(&mut right), &mut found)?;
        let half = Step::trained_in_16_bits(batch);
        if device.backend().half_precision() == HalfPrecision::Missing {
            self.leave_out(&half.row(self.model), "the device has no 16-bit floats", &mut found);
        } else {
            self.step(&half, device, Some(&mut right), &mut found)?;
        }
        if device.is_software() && self.wants("whole model") {
            let why =
                "plans for software devices have no inputs computed as they are read and no columns reduced by tiles";
            self.leave_out("whole model", why, &mut found);
        }
        for case in large() {
            self.row(case.name, &mut found, |corrupt| {
                let (graph, inputs) = case.graph()?;
                let (backend, limit) = (device.backend(), (case.limit, corrupt));
                Ok(verify_graph(backend, right.backend(), (case.name, &graph), &inputs, &BTreeMap::new(), limit))
            })?;
        }
        self.beyond(device, &mut found)?;
        Ok(found)
    }

    fn wants(&self, name: &str) -> bool {
        self.filter.is_none_or(|text| name.contains(text))
    }

    fn leave_out(&self, what: &str, why: &str, found: &mut Found) {
        if self.wants(what) {
            found.left_out.push(format!("{what}: {why}"));
        }
    }

    fn row(
        &self,
        name: &str,
        found: &mut Found,
        check: impl FnOnce(bool) -> anyhow::Result<CaseReport>,
    ) -> anyhow::Result<()> {
        if !self.wants(name) {
            return Ok(());
        }
        if self.deadline.is_some_and(|end| Instant::now() >= end) {
            found.left_out.push(format!("{name}: the time was up"));
            return Ok(());
        }
        self.waiting.says(name);
        found.rows.push(check(self.corrupt == Some(found.rows.len()))?);
        Ok(())
    }

    /// Against the CPU backend, or the float64 reference.
    fn step(
        &self,
        step: &Step,
        device: &mut Device,
        right: Option<&mut Device>,
        found: &mut Found,
    ) -> anyhow::Result<()> {
        self.row(&step.row(self.model), found, |corrupt| {
            let checked = match right {
                Some(right) => step.check(device.backend(), right.backend(), self.model, corrupt),
                None => step.check(device.backend(), &mut Reference::new(), self.model, corrupt),
            };
            Ok(checked?)
        })
    }

    /// A buffer whose end is beyond 32 bits, where the device has room for one. Software devices promise what is not there.
    fn beyond(&self, device: &mut Device, found: &mut Found) -> anyhow::Result<()> {
        let name = "large/a state of more than 4 GiB";
        let (needed, room) = (bytes_beyond(), device.backend().room());
        let why = match () {
            () if device.is_software() => {
                "never on software devices, whose drivers promise memory that is not there".to_owned()
            }
            () if room < needed => {
                format!("it takes {}, the device binds {}", bytes(needed as f64), bytes(room as f64))
            }
            () => String::new(),
        };
        if !why.is_empty() {
            self.leave_out(name, &why, found);
            return Ok(());
        }
        self.row(name, found, |corrupt| {
            let failure = match beyond_four_gigabytes(device.backend(), corrupt) {
                Ok(failure) => failure,
                Err(error) => Some(error.to_string()),
            };
            let (name, limit) = (name.to_owned(), 0.0);
            Ok(CaseReport { name, forward: 0.0, gradient: None, limit, gradient_limit: limit, failure })
        })
    }
}
