//! Which errors are the user's (exit code 2) and which the machine's (exit code 1).

use chiaro::DeviceError;
use chiaro::nn::NnError;
use chiaro::train::TrainError;

/// A wrong argument that clap cannot see.
#[derive(Debug)]
pub struct Usage(pub String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Whether the command line should have been another.
pub fn is_usage(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.is::<Usage>()
            || matches!(cause.downcast_ref(), Some(DeviceError::Unknown { .. }))
            || matches!(cause.downcast_ref(), Some(NnError::Unknown { .. } | NnError::Option(_)))
            || matches!(
                cause.downcast_ref(),
                Some(
                    TrainError::Setting(_)
                        | TrainError::RunExists { .. }
                        | TrainError::NotARun { .. }
                        | TrainError::NoWeights { .. }
                        | TrainError::Nn(NnError::Unknown { .. } | NnError::Option(_))
                )
            )
    })
}
