//! Where the time of a step went: by kind of kernel, then the calls that took longest.

use std::time::Duration;

use chiaro::graph::{Call, CallTime, Profile};

use super::Subject;
use crate::output::duration;

/// Calls that are shown.
const TOP: usize = 12;

/// The lines of both tables.
pub fn lines(profile: &Profile, subject: &Subject<'_>) -> Vec<String> {
    let total = profile.call_seconds();
    let mut lines = vec![format!(
        "{}: {} calls took {} of the {} from the first to the last, by {}",
        subject.name,
        profile.calls.len(),
        time(total),
        time(profile.span_seconds()),
        profile.clock.name()
    )];
    let host = profile.host.iter().map(|h| format!("{} {}", h.name, time(h.seconds))).collect::<Vec<_>>();
    lines.push(format!("host: {}", host.join(", ")));
    lines.push(String::new());
    lines.push(format!("{:<69} {}", "kernel", heading(subject)));
    for kind in kinds(profile) {
        lines.push(format!("{:<62} {:>6} {}", kind.name, kind.calls.len(), figures(&kind.calls, total, subject)));
    }
    lines.push(String::new());
    lines.push(format!("{:<34} {:<34} {}", "longest calls", "extents", heading(subject)));
    let mut longest: Vec<&CallTime> = profile.calls.iter().collect();
    longest.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    for call in longest.into_iter().take(TOP) {
        let figures = figures(&[call], total, subject);
        lines.push(format!("{:<34} {:<34} {figures}", short(&call.call.label, 34), short(&call.call.shape, 34)));
    }
    lines.push(String::new());
    lines
}

/// The headings of [`figures`].
fn heading(subject: &Subject<'_>) -> String {
    let roof = if subject.peaks.is_some() { "    roof" } else { "" };
    format!("     time  share  GFLOP/s    GB/s{roof}")
}

/// Time, share of the step, rates, and share of the roofline.
fn figures(calls: &[&CallTime], total: f64, subject: &Subject<'_>) -> String {
    let seconds: f64 = calls.iter().map(|c| c.seconds).sum();
    let rate = |amount: fn(&Call) -> u64| {
        let amount = calls.iter().map(|c| amount(&c.call)).sum::<u64>() as f64;
        if amount > 0.0 && seconds > 0.0 { format!("{:.1}", amount / seconds / 1e9) } else { "-".to_string() }
    };
    let roof = subject.peaks.map_or(String::new(), |peaks| {
        let bound = peaks.bound(calls.iter().map(|c| &c.call));
        let roof = if seconds > 0.0 { format!("{:.0} %", 100.0 * bound / seconds) } else { "-".to_string() };
        format!(" {roof:>7}")
    });
    let share = 100.0 * seconds / total.max(1e-30);
    format!("{:>9} {share:>4.1} % {:>8} {:>7}{roof}", time(seconds), rate(|c| c.flops), rate(|c| c.bytes))
}

/// Calls of one kind of kernel.
struct Kind<'a> {
    name: &'a str,
    calls: Vec<&'a CallTime>,
}

/// All kinds, the one that took longest first.
fn kinds(profile: &Profile) -> Vec<Kind<'_>> {
    let mut kinds: Vec<Kind<'_>> = vec![];
    for call in &profile.calls {
        match kinds.iter_mut().find(|kind| kind.name == call.call.kernel) {
            Some(kind) => kind.calls.push(call),
            None => kinds.push(Kind { name: &call.call.kernel, calls: vec![call] }),
        }
    }
    let seconds = |kind: &Kind<'_>| kind.calls.iter().map(|c| c.seconds).sum::<f64>();
    kinds.sort_by(|a, b| seconds(b).total_cmp(&seconds(a)));
    kinds
}

/// The end of a text that is too long, which is where layers differ.
fn short(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_string();
    }
    let end: String = text.chars().skip(count + 1 - most).collect();
    format!("…{end}")
}

fn time(seconds: f64) -> String {
    duration(Duration::from_secs_f64(seconds.max(0.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chiaro::graph::{Clock, Peaks};

    #[test]
    fn kinds_are_added_up_and_their_shares_are_of_all_calls() {
        let call = |kernel: &str, seconds, flops| CallTime {
            call: Call { kernel: kernel.to_string(), flops, bytes: 1_000_000, ..Call::default() },
            start: 0.0,
            seconds,
        };
        let calls = vec![call("A", 0.001, 0), call("B", 0.002, 4_000_000), call("A", 0.001, 0), call("C", 0.004, 0)];
        let profile = Profile { clock: Clock::Host, calls, host: vec![] };
        let peaks = Peaks { flops: 4e9, flops_f16: None, bytes: 1e12, clock: Clock::Host };
        let lines = lines(&profile, &Subject { name: "step", device: "d", peaks: Some(&peaks) });
        let row = |name: &str| lines.iter().find(|l| l.starts_with(name)).expect("a row").split_whitespace();
        assert_eq!(row("A ").collect::<Vec<_>>(), ["A", "2", "2.00", "ms", "25.0", "%", "-", "1.0", "0", "%"]);
        assert_eq!(row("B ").collect::<Vec<_>>(), ["B", "1", "2.00", "ms", "25.0", "%", "2.0", "0.5", "50", "%"]);
        assert!(lines.iter().all(|line| line.chars().count() <= 120), "{lines:?}");
    }

    #[test]
    fn a_long_text_keeps_its_end() {
        assert_eq!(short("layer", 5), "layer");
        assert_eq!(short("layer1.0.conv1", 6), "…conv1");
    }
}
