//! How every worked example begins: `--device NAME` (auto, cpu, gpu, gpu:INDEX, gpu:software), and whatever else it takes.
#![allow(dead_code, reason = "tests open devices of their own")]

use std::error::Error;

use chiaro::{Device, DeviceOptions};

/// The device that the command line asks for, and the arguments that are not about it.
pub fn device() -> Result<(Device, Vec<String>), Box<dyn Error>> {
    let (mut name, mut others) = ("auto".to_string(), vec![]);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--device" {
            name = arguments.next().ok_or("--device needs a name, such as cpu or gpu")?;
        } else if let Some(given) = argument.strip_prefix("--device=") {
            name = given.to_string();
        } else if argument.starts_with("--") {
            return Err(format!("unknown option {argument}; there is --device NAME").into());
        } else {
            others.push(argument);
        }
    }
    let device = Device::by_name(&name, &DeviceOptions::default())?;
    println!("on {}", device.name());
    Ok((device, others))
}
