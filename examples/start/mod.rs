//! How every worked example begins: `--device NAME` (auto, cpu, gpu, gpu:INDEX, gpu:software), and whatever else it takes.
#![allow(dead_code, reason = "tests open devices of their own")]

use std::error::Error;
use std::fmt;

use chiaro::{Device, DeviceOptions};

/// What ends an example: `main` shows it in words.
pub struct Failure(Box<dyn Error>);

impl<E: Into<Box<dyn Error>>> From<E> for Failure {
    fn from(cause: E) -> Self {
        Failure(cause.into())
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(found) = cause {
            write!(f, ": {found}")?;
            cause = found.source();
        }
        Ok(())
    }
}

/// The device that the command line asks for, and the arguments that are not about it. `--help` shows how the example's own `source` begins,
/// and ends it.
pub fn device(source: &str) -> Result<(Device, Vec<String>), Box<dyn Error>> {
    let (mut name, mut others) = ("auto".to_string(), vec![]);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--device" {
            name = arguments.next().ok_or("--device needs a name, such as cpu or gpu")?;
        } else if let Some(given) = argument.strip_prefix("--device=") {
            name = given.to_string();
        } else if argument == "--help" || argument == "-h" {
            let about = source.lines().map_while(|line| line.strip_prefix("//!"));
            about.for_each(|line| println!("{}", line.strip_prefix(' ').unwrap_or(line)));
            std::process::exit(0);
        } else if argument.starts_with("--") {
            return Err(format!("unknown option {argument}; there are --device NAME and --help").into());
        } else {
            others.push(argument);
        }
    }
    let device = Device::by_name(&name, &DeviceOptions::default())?;
    println!("on {}", device.name());
    Ok((device, others))
}

/// The number at a place of the arguments, or the usual one where there is none.
pub fn number(arguments: &[String], at: usize, what: &str, usual: usize) -> Result<usize, Box<dyn Error>> {
    let Some(text) = arguments.get(at) else { return Ok(usual) };
    text.parse().map_err(|_| format!("{text:?} is no number of {what}; {usual} is usual").into())
}

/// The same of what there must be one of at least.
pub fn count(arguments: &[String], at: usize, what: &str, usual: usize) -> Result<usize, Box<dyn Error>> {
    let found = number(arguments, at, what, usual)?;
    if found == 0 { Err(format!("there must be {what}").into()) } else { Ok(found) }
}
