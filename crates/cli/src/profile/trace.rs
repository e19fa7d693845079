//! A profile as a trace in the JSON format of Chrome and Perfetto: one track for the host, one for the device.
//! <https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU>

use chiaro::graph::{CallTime, Clock, HostTime, Profile};
use serde_json::{Value, json};

use super::Subject;

const PROCESS: u32 = 1;
const HOST: u32 = 1;
const DEVICE: u32 = 2;

/// The trace.
pub fn json(profile: &Profile, subject: &Subject<'_>) -> Value {
    let device = match profile.clock {
        Clock::Device => "GPU",
        Clock::Host => "kernels",
    };
    let mut events = vec![
        name("process_name", HOST, &format!("chiaro: {} on {}", subject.name, subject.device)),
        name("thread_name", HOST, "host"),
        name("thread_name", DEVICE, device),
    ];
    events.extend(profile.host.iter().map(host));
    events.extend(profile.calls.iter().map(call));
    json!({
        "traceEvents": events,
        "displayTimeUnit": "ns",
        "otherData": {
            "program": concat!("chiaro ", env!("CARGO_PKG_VERSION")),
            "step": subject.name,
            "device": subject.device,
            "clock": profile.clock.name(),
        },
    })
}

fn name(what: &str, track: u32, text: &str) -> Value {
    json!({ "ph": "M", "name": what, "pid": PROCESS, "tid": track, "args": { "name": text } })
}

fn host(time: &HostTime) -> Value {
    complete(time.name, "host", HOST, [time.start, time.seconds], json!({}))
}

fn call(time: &CallTime) -> Value {
    let (call, seconds) = (&time.call, time.seconds);
    let rate = |amount: u64| if seconds > 0.0 { amount as f64 / seconds / 1e9 } else { 0.0 };
    let arguments = json!({
        "kernel": call.kernel,
        "shape": call.shape,
        "bytes": call.bytes,
        "GFLOP": call.flops as f64 / 1e9,
        "GFLOP/s": rate(call.flops),
        "GB/s": rate(call.bytes),
    });
    complete(&call.label, &call.kernel, DEVICE, [time.start, seconds], arguments)
}

/// An event with begin and length, which the format wants in microseconds.
fn complete(name: &str, category: &str, track: u32, [start, seconds]: [f64; 2], arguments: Value) -> Value {
    json!({
        "ph": "X",
        "name": name,
        "cat": category,
        "pid": PROCESS,
        "tid": track,
        "ts": start * 1e6,
        "dur": seconds * 1e6,
        "args": arguments,
    })
}
