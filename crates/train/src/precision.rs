//! What the setting of the precision means on a device.

use chiaro_graph::{Backend, HalfPrecision};
use chiaro_nn::Precision;

use crate::error::{Result, TrainError};
use crate::settings::PrecisionName;

impl PrecisionName {
    /// The precision on this device: never [`PrecisionName::Auto`].
    ///
    /// # Errors
    /// If 16 bits are asked for and the device has none.
    pub fn on(self, backend: &dyn Backend) -> Result<PrecisionName> {
        match (self, backend.half_precision()) {
            (Self::F16, HalfPrecision::Missing) => Err(TrainError::setting(format!(
                "{} has no 16-bit floats in shaders (SHADER_F16): train with --precision f32, or auto",
                backend.name()
            ))),
            (Self::Auto, HalfPrecision::Fast) => Ok(Self::F16),
            (Self::Auto, HalfPrecision::Slow | HalfPrecision::Missing) => Ok(Self::F32),
            (Self::F16, HalfPrecision::Slow | HalfPrecision::Fast) => Ok(Self::F16),
            (Self::F32, HalfPrecision::Missing | HalfPrecision::Slow | HalfPrecision::Fast) => Ok(Self::F32),
        }
    }

    /// The training step's option.
    pub(crate) fn option(self) -> Precision {
        match self {
            Self::F16 => Precision::f16(),
            Self::F32 | Self::Auto => Precision::F32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chiaro_graph::{BackendError, Graph, PlanId, Stats, Tensor};

    /// A device that does nothing but tell what it does with 16 bits.
    struct Told(HalfPrecision);

    impl Backend for Told {
        fn name(&self) -> String {
            "the test's device".into()
        }
        fn half_precision(&self) -> HalfPrecision {
            self.0
        }
        fn compile(&mut self, _: &Graph) -> std::result::Result<PlanId, BackendError> {
            Err(BackendError::Unknown("graph".into()))
        }
        fn run(&mut self, _: PlanId, _: &[Tensor]) -> std::result::Result<(), BackendError> {
            Ok(())
        }
        fn read(&mut self, _: PlanId, output: usize) -> std::result::Result<Tensor, BackendError> {
            Err(BackendError::Unknown(format!("output {output}")))
        }
        fn write_arena(&mut self, _: &str, _: &Tensor) -> std::result::Result<(), BackendError> {
            Ok(())
        }
        fn write_arena_part(&mut self, _: &str, _: usize, _: &Tensor) -> std::result::Result<(), BackendError> {
            Ok(())
        }
        fn room(&self) -> u64 {
            0
        }
        fn read_arena(&mut self, name: &str) -> std::result::Result<Tensor, BackendError> {
            Err(BackendError::Unknown(name.into()))
        }
        fn release_plan(&mut self, _: PlanId) -> std::result::Result<(), BackendError> {
            Ok(())
        }
        fn release_arena(&mut self, _: &str) -> std::result::Result<(), BackendError> {
            Ok(())
        }
        fn stats(&self) -> Stats {
            Stats::default()
        }
    }

    #[test]
    fn auto_takes_16_bits_only_where_they_gain() {
        use HalfPrecision::{Fast, Missing, Slow};
        use PrecisionName::{Auto, F16, F32};
        let cases = [
            (Auto, Fast, Some(F16)),
            (Auto, Slow, Some(F32)),
            (Auto, Missing, Some(F32)),
            (F16, Fast, Some(F16)),
            (F16, Slow, Some(F16)),
            (F16, Missing, None),
            (F32, Fast, Some(F32)),
        ];
        for (asked, device, want) in cases {
            assert_eq!(asked.on(&Told(device)).ok(), want, "{asked:?} on {device:?}");
        }
    }

    #[test]
    fn the_refusal_names_device_and_remedy() {
        let error = PrecisionName::F16.on(&Told(HalfPrecision::Missing)).expect_err("refused").to_string();
        assert!(error.contains("the test's device") && error.contains("--precision f32"), "{error}");
    }
}
