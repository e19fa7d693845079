//! One kernel through one driver: a compute pipeline, made as wgpu makes it, and what the driver tells of it.
//!
//! It runs in a process of its own under a shim, so that a driver's crash is one kernel's fault. Vulkan is called directly: wgpu does
//! not hand out a pipeline's statistics.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use ash::vk;

use crate::figures::COMPILING;

const STATISTICS: &CStr = ash::khr::pipeline_executable_properties::NAME;
const MATRICES: &CStr = ash::khr::cooperative_matrix::NAME;
const ROBUST: &CStr = ash::ext::robustness2::NAME;

/// Compiles SPIR-V whose storage buffers are bound from 0 to `bindings`. The result, one a line: `stat<TAB>name<TAB>value`; then
/// `text<TAB>name<TAB>length`, each followed by a text of so many bytes.
///
/// # Errors
/// What the driver refuses.
pub fn compile(spirv: &Path, bindings: u32, robust: bool) -> Result<String> {
    let bytes = std::fs::read(spirv).with_context(|| format!("cannot read {}", spirv.display()))?;
    let words: Vec<u32> = bytes.chunks_exact(4).map(|w| u32::from_le_bytes([w[0], w[1], w[2], w[3]])).collect();
    // SAFETY: all handles are made here and used while the instance and device live; the process ends without destroying them.
    unsafe { compiled(&words, bindings, robust) }
}

unsafe fn compiled(words: &[u32], bindings: u32, robust: bool) -> Result<String> {
    // SAFETY: the Vulkan loader is that of the unpacked Mesa, whose functions do as Vulkan says.
    unsafe {
        let library = ash::Entry::load().context("no Vulkan loader")?;
        let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
        let instance = library
            .create_instance(&vk::InstanceCreateInfo::default().application_info(&application), None)
            .context("no instance")?;
        let physical = instance.enumerate_physical_devices()?.into_iter().next().context("no Vulkan device")?;
        let device = open(&instance, physical, robust)?;
        let shader = device.create_shader_module(&vk::ShaderModuleCreateInfo::default().code(words), None)?;
        let binding = |number| {
            vk::DescriptorSetLayoutBinding::default()
                .binding(number)
                .descriptor_type(vk::DescriptorType::STORAGE_BUFFER)
                .descriptor_count(1)
                .stage_flags(vk::ShaderStageFlags::COMPUTE)
        };
        let all: Vec<_> = (0..bindings).map(binding).collect();
        let set = vk::DescriptorSetLayoutCreateInfo::default().bindings(&all);
        let sets = [device.create_descriptor_set_layout(&set, None)?];
        let layout = vk::PipelineLayoutCreateInfo::default().set_layouts(&sets);
        let layout = device.create_pipeline_layout(&layout, None)?;
        let stage = vk::PipelineShaderStageCreateInfo::default()
            .stage(vk::ShaderStageFlags::COMPUTE)
            .module(shader)
            .name(c"main");
        let flags = vk::PipelineCreateFlags::CAPTURE_STATISTICS_KHR
            | vk::PipelineCreateFlags::CAPTURE_INTERNAL_REPRESENTATIONS_KHR;
        let wanted = vk::ComputePipelineCreateInfo::default().stage(stage).layout(layout).flags(flags);
        let before = computed();
        let made = device.create_compute_pipelines(vk::PipelineCache::null(), &[wanted], None);
        let compiling = (computed() - before) / 1000;
        let pipeline = made.map_err(|error| error.1).context("the driver makes no pipeline")?[0];
        Ok(format!("stat\t{COMPILING}\t{compiling}\n") + &told(&instance, &device, pipeline)?)
    }
}

/// Nanoseconds that this thread has run, which others on the machine do not change; 0 where Linux does not tell.
pub fn computed() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0)
}

/// A device with the features that wgpu turns on for these kernels, as far as they are there; robust buffers only if wanted.
unsafe fn open(instance: &ash::Instance, physical: vk::PhysicalDevice, robust: bool) -> Result<ash::Device> {
    // SAFETY: the chains of structures live until the call that reads them returns.
    unsafe {
        let offered = instance.enumerate_device_extension_properties(physical)?;
        let has =
            |name: &CStr| (robust || name != ROBUST) && offered.iter().any(|e| e.extension_name_as_c_str() == Ok(name));
        if !has(STATISTICS) {
            bail!("the driver tells nothing of its pipelines");
        }
        let mut v11 = vk::PhysicalDeviceVulkan11Features::default();
        let mut v12 = vk::PhysicalDeviceVulkan12Features::default();
        let mut checked = vk::PhysicalDeviceRobustness2FeaturesEXT::default();
        let mut all = vk::PhysicalDeviceFeatures2::default().push_next(&mut v11).push_next(&mut v12);
        if has(ROBUST) {
            all = all.push_next(&mut checked);
        }
        instance.get_physical_device_features2(physical, &mut all);
        let buffers = robust && all.features.robust_buffer_access == vk::TRUE;
        let core = vk::PhysicalDeviceFeatures::default().robust_buffer_access(buffers);
        let (storage, half, model) = (v11.storage_buffer16_bit_access, v12.shader_float16, v12.vulkan_memory_model);
        let (scope, buffers) = (v12.vulkan_memory_model_device_scope, checked.robust_buffer_access2);
        let mut v11 = vk::PhysicalDeviceVulkan11Features::default().storage_buffer16_bit_access(storage == vk::TRUE);
        let mut v12 = vk::PhysicalDeviceVulkan12Features::default()
            .shader_float16(half == vk::TRUE)
            .vulkan_memory_model(model == vk::TRUE)
            .vulkan_memory_model_device_scope(scope == vk::TRUE);
        let mut checked =
            vk::PhysicalDeviceRobustness2FeaturesEXT::default().robust_buffer_access2(buffers == vk::TRUE);
        let mut tell =
            vk::PhysicalDevicePipelineExecutablePropertiesFeaturesKHR::default().pipeline_executable_info(true);
        let mut matrices = vk::PhysicalDeviceCooperativeMatrixFeaturesKHR::default().cooperative_matrix(true);
        let names: Vec<_> = [STATISTICS, MATRICES, ROBUST].iter().filter(|n| has(n)).map(|n| n.as_ptr()).collect();
        let queues = [vk::DeviceQueueCreateInfo::default().queue_priorities(&[1.0])];
        let mut info = vk::DeviceCreateInfo::default()
            .queue_create_infos(&queues)
            .enabled_extension_names(&names)
            .enabled_features(&core)
            .push_next(&mut v11)
            .push_next(&mut v12)
            .push_next(&mut tell);
        if has(MATRICES) {
            info = info.push_next(&mut matrices);
        }
        if has(ROBUST) {
            info = info.push_next(&mut checked);
        }
        instance.create_device(physical, &info, None).context("no device")
    }
}

/// Statistics and texts of a pipeline's programs.
unsafe fn told(instance: &ash::Instance, device: &ash::Device, pipeline: vk::Pipeline) -> Result<String> {
    let (mut statistics, mut texts) = (String::new(), String::new());
    // SAFETY: the driver writes as many bytes of each text as it said they were.
    unsafe {
        let call = ash::khr::pipeline_executable_properties::Device::new(instance, device);
        let count = call.get_pipeline_executable_properties(&vk::PipelineInfoKHR::default().pipeline(pipeline))?.len();
        for index in 0..count {
            let program = vk::PipelineExecutableInfoKHR::default().pipeline(pipeline).executable_index(index as u32);
            for one in call.get_pipeline_executable_statistics(&program)? {
                let value = match one.format {
                    vk::PipelineExecutableStatisticFormatKHR::UINT64 => one.value.u64.to_string(),
                    vk::PipelineExecutableStatisticFormatKHR::INT64 => one.value.i64.to_string(),
                    vk::PipelineExecutableStatisticFormatKHR::FLOAT64 => one.value.f64.to_string(),
                    _ => (one.value.b32 != 0).to_string(),
                };
                writeln!(statistics, "stat\t{}\t{value}", CStr::from_ptr(one.name.as_ptr()).to_string_lossy())?;
            }
            // Asked twice: for the lengths, then for the texts.
            let mut list = call.get_pipeline_executable_internal_representations(&program)?;
            let mut room: Vec<Vec<u8>> = list.iter().map(|one| vec![0; one.data_size]).collect();
            for (one, room) in list.iter_mut().zip(&mut room) {
                one.p_data = room.as_mut_ptr().cast();
            }
            let mut count = list.len() as u32;
            let ask = call.fp().get_pipeline_executable_internal_representations_khr;
            ask(device.handle(), &program, &mut count, list.as_mut_ptr()).result()?;
            for (one, room) in list.iter().zip(&room) {
                let name = CStr::from_ptr(one.name.as_ptr()).to_string_lossy();
                let text = String::from_utf8_lossy(room);
                let text = text.trim_end_matches('\0');
                writeln!(texts, "text\t{name}\t{}\n{text}", text.len())?;
            }
        }
    }
    Ok(statistics + &texts)
}
