//! Checking a composed shader without a device: naga's validation, its translations, and what it asks of an adapter.

use naga::back::{PipelineConstants, hlsl, msl, pipeline_constants, spv};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, Module, ShaderStage};

use crate::ShaderError;

/// A parsed and validated module with one compute entry point.
#[derive(Debug)]
pub struct Checked {
    module: Module,
    info: ModuleInfo,
    entry: String,
}

/// Parses and validates WGSL that has one compute entry point, with pipeline constants put in.
pub fn check(source: &str, constants: &[(&str, f64)]) -> Result<Checked, ShaderError> {
    let (module, info) = check_module(source)?;
    let [entry] = &module.entry_points[..] else {
        let found = module.entry_points.len();
        return Err(ShaderError::Invalid(format!("{found} entry points, not one")));
    };
    let entry = entry.name.clone();
    let constants: PipelineConstants = constants.iter().map(|&(name, value)| (name.to_owned(), value)).collect();
    let stage = Some((ShaderStage::Compute, entry.as_str()));
    let (module, info) = pipeline_constants::process_overrides(&module, &info, stage, &constants)
        .map(|(module, info)| (module.into_owned(), info.into_owned()))
        .map_err(|e| ShaderError::Invalid(format!("pipeline constants: {e}")))?;
    Ok(Checked { module, info, entry })
}

/// Parses and validates any WGSL, also without an entry point.
pub fn check_module(source: &str) -> Result<(Module, ModuleInfo), ShaderError> {
    let module = naga::front::wgsl::parse_str(source).map_err(|e| ShaderError::Invalid(e.emit_to_string(source)))?;
    let info = Validator::new(ValidationFlags::all(), Capabilities::all())
        .validate(&module)
        .map_err(|e| ShaderError::Invalid(e.emit_to_string(source)))?;
    Ok((module, info))
}

impl Checked {
    /// The size of a workgroup, to compare with the adapter's `max_compute_workgroup_size_*` and
    /// `max_compute_invocations_per_workgroup`: wgpu does not when the size is a pipeline constant.
    pub fn workgroup_size(&self) -> [u32; 3] {
        self.module.entry_points.first().map_or([0; 3], |e| e.workgroup_size)
    }

    /// Bytes of workgroup memory, to compare with `max_compute_workgroup_storage_size`.
    pub fn workgroup_bytes(&self) -> u32 {
        let mut layouter = naga::proc::Layouter::default();
        if layouter.update(self.module.to_ctx()).is_err() {
            return u32::MAX;
        }
        self.module
            .global_variables
            .iter()
            .filter(|(_, v)| v.space == AddressSpace::WorkGroup)
            .fold(0u32, |sum, (_, v)| sum.saturating_add(layouter[v.ty].size))
    }

    /// The number of storage buffers bound, to compare with `max_storage_buffers_per_shader_stage`.
    pub fn storage_buffers(&self) -> usize {
        let is_storage = |space: AddressSpace| matches!(space, AddressSpace::Storage { .. });
        self.module.global_variables.iter().filter(|(_, v)| is_storage(v.space)).count()
    }

    /// The module as SPIR-V 1.3 words, without bounds checks, loop bounds, checked divisions or zero-initialised workgroup
    /// memory: what wgpu hands a Vulkan driver for a trusted module.
    pub fn spirv(&self) -> Result<Vec<u32>, ShaderError> {
        let options = spv::Options {
            lang_version: (1, 3),
            zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
            force_loop_bounding: false,
            emit_int_div_checks: false,
            ..Default::default()
        };
        let pipeline = spv::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: self.entry.clone() };
        spv::write_vec(&self.module, &self.info, &options, Some(&pipeline)).map_err(|e| translate("SPIR-V", e))
    }

    /// The module in the Metal Shading Language.
    pub fn msl(&self) -> Result<String, ShaderError> {
        let options = msl::Options { lang_version: (2, 4), ..Default::default() };
        let (text, info) = msl::write_string(&self.module, &self.info, &options, &Default::default())
            .map_err(|e| translate("MSL", e))?;
        for entry in info.entry_point_names {
            entry.map_err(|e| translate("MSL", e))?;
        }
        Ok(text)
    }

    /// The module in HLSL, shader model 6.2 (the first with 16-bit floats).
    pub fn hlsl(&self) -> Result<String, ShaderError> {
        let options =
            hlsl::Options { shader_model: hlsl::ShaderModel::V6_2, fake_missing_bindings: true, ..Default::default() };
        let pipeline = hlsl::PipelineOptions::default();
        let mut text = String::new();
        let info = hlsl::Writer::new(&mut text, &options, &pipeline)
            .write(&self.module, &self.info, None)
            .map_err(|e| translate("HLSL", e))?;
        for entry in info.entry_point_names {
            entry.map_err(|e| translate("HLSL", e))?;
        }
        Ok(text)
    }
}

fn translate(language: &'static str, error: impl std::fmt::Display) -> ShaderError {
    ShaderError::Translate { language, message: error.to_string() }
}
