//! Vulkan devices on which each pipeline chooses whether its buffer accesses are bounded (`VK_EXT_pipeline_robustness`).
//!
//! wgpu opens every device with robust buffer access and relies on it: it leaves its own bounds checks of storage buffers out
//! of every module, untrusted ones too. So the device stays robust. What wgpu has no name for, the choice a pipeline, is put
//! into the one Vulkan call that makes compute pipelines, and only while [`unbounded`] runs.

use std::cell::Cell;
use std::sync::{PoisonError, RwLock};

use ash::vk;
use wgpu::hal::{self, vulkan};

thread_local! {
    /// Whether this thread is making a pipeline that needs no bounds. wgpu makes pipelines in the thread that asks.
    static UNBOUNDED: Cell<bool> = const { Cell::new(false) };
}

/// The driver's function for each device that was opened here; a handle that comes again replaces its former entry.
static DRIVERS: RwLock<Vec<(vk::Device, vk::PFN_vkCreateComputePipelines)>> = RwLock::new(Vec::new());

/// Runs `make`; compute pipelines that it makes on a device of [`open`] do without robust access to buffers.
pub(super) fn unbounded<T>(make: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            UNBOUNDED.set(self.0);
        }
    }
    let _restore = Restore(UNBOUNDED.replace(true));
    make()
}

/// Opens a device whose pipelines can choose; `None` where adapter or driver has no such choice, or does not open.
pub(super) fn open(
    adapter: &wgpu::Adapter,
    descriptor: &wgpu::DeviceDescriptor<'_>,
) -> Option<(wgpu::Device, wgpu::Queue)> {
    // SAFETY: nothing of the adapter is destroyed.
    let opened = unsafe {
        let adapter = adapter.as_hal::<hal::api::Vulkan>()?;
        if !can_choose(&adapter) {
            return None;
        }
        open_raw(&adapter, descriptor)?
    };
    // SAFETY: `opened` is of this adapter, with the features and limits of `descriptor`, which the caller took from it.
    unsafe { adapter.create_device_from_hal::<hal::api::Vulkan>(opened, descriptor) }.ok()
}

fn can_choose(adapter: &vulkan::Adapter) -> bool {
    let capabilities = adapter.physical_device_capabilities();
    let instance = adapter.shared_instance();
    let asks = instance.instance_api_version() >= vk::API_VERSION_1_1
        && capabilities.properties().api_version >= vk::API_VERSION_1_1
        && capabilities.supports_extension(ash::ext::pipeline_robustness::NAME);
    if !asks {
        return false;
    }
    let mut choice = vk::PhysicalDevicePipelineRobustnessFeaturesEXT::default();
    let mut features = vk::PhysicalDeviceFeatures2::default().push_next(&mut choice);
    // SAFETY: the physical device is alive, and Vulkan 1.1 has the function.
    unsafe { instance.raw_instance().get_physical_device_features2(adapter.raw_physical_device(), &mut features) };
    choice.pipeline_robustness == vk::TRUE
}

/// What wgpu-hal does to open a device, with one extension more and with [`create_compute_pipelines`] in the driver's place.
///
/// # Safety
/// The adapter has `VK_EXT_pipeline_robustness` and the features and limits of `descriptor`.
unsafe fn open_raw(
    adapter: &vulkan::Adapter,
    descriptor: &wgpu::DeviceDescriptor<'_>,
) -> Option<hal::OpenDevice<hal::api::Vulkan>> {
    let features = descriptor.required_features;
    let mut extensions = adapter.required_device_extensions(features);
    extensions.push(ash::ext::pipeline_robustness::NAME);
    let names: Vec<_> = extensions.iter().map(|name| name.as_ptr()).collect();
    let mut enabled = adapter.physical_device_features(&extensions, features);
    let mut choice = vk::PhysicalDevicePipelineRobustnessFeaturesEXT::default().pipeline_robustness(true);
    let family = 0;
    let queues = [vk::DeviceQueueCreateInfo::default().queue_family_index(family).queue_priorities(&[1.0])];
    let info = vk::DeviceCreateInfo::default().queue_create_infos(&queues).enabled_extension_names(&names);
    let info = enabled.add_to_device_create(info.push_next(&mut choice));
    // SAFETY: all of `info` lives until the call returns; the adapter has what it asks for.
    let device =
        unsafe { adapter.shared_instance().raw_instance().create_device(adapter.raw_physical_device(), &info, None) };
    let device = device.ok()?;
    let mut functions = device.fp_v1_0().clone();
    {
        let mut drivers = DRIVERS.write().unwrap_or_else(PoisonError::into_inner);
        drivers.retain(|(known, _)| *known != device.handle());
        drivers.push((device.handle(), functions.create_compute_pipelines));
    }
    functions.create_compute_pipelines = create_compute_pipelines;
    let (v1_1, v1_2, v1_3) = (device.fp_v1_1().clone(), device.fp_v1_2().clone(), device.fp_v1_3().clone());
    let device = ash::Device::from_parts_1_3(device.handle(), functions, v1_1, v1_2, v1_3);
    let limits = &descriptor.required_limits;
    // SAFETY: the device is of this adapter, with its features, a superset of its extensions and queue 0 of the family;
    // without a drop callback wgpu-hal owns it.
    unsafe {
        adapter.device_from_raw(device, None, &extensions, features, limits, &descriptor.memory_hints, family, 0).ok()
    }
}

/// `vkCreateComputePipelines` of a device of [`open`]: the driver's, with the choice added where the thread made one.
///
/// # Safety
/// That of Vulkan's function.
unsafe extern "system" fn create_compute_pipelines(
    device: vk::Device,
    cache: vk::PipelineCache,
    count: u32,
    infos: *const vk::ComputePipelineCreateInfo<'_>,
    allocator: *const vk::AllocationCallbacks<'_>,
    pipelines: *mut vk::Pipeline,
) -> vk::Result {
    let driver = {
        let drivers = DRIVERS.read().unwrap_or_else(PoisonError::into_inner);
        drivers.iter().find(|(known, _)| *known == device).map(|(_, driver)| *driver)
    };
    let Some(driver) = driver else { return vk::Result::ERROR_UNKNOWN };
    if !UNBOUNDED.get() {
        // SAFETY: the caller's arguments, as they came.
        return unsafe { driver(device, cache, count, infos, allocator, pipelines) };
    }
    #[cfg(test)]
    tests::CHOICES.set(tests::CHOICES.get() + 1);
    // SAFETY: Vulkan's function is given `count` of them.
    let infos = unsafe { std::slice::from_raw_parts(infos, count as usize) };
    let off = vk::PipelineRobustnessBufferBehaviorEXT::DISABLED;
    let chosen = |info: &vk::ComputePipelineCreateInfo<'_>| {
        let mut choice = vk::PipelineRobustnessCreateInfoEXT::default().storage_buffers(off).uniform_buffers(off);
        choice.p_next = info.p_next;
        choice
    };
    let choices: Vec<_> = infos.iter().map(chosen).collect();
    let mut infos = infos.to_vec();
    for (info, choice) in infos.iter_mut().zip(&choices) {
        info.p_next = std::ptr::from_ref(choice).cast();
    }
    // SAFETY: the caller's arguments, with a structure before each chain that the device's extension allows and that lives
    // until the call returns.
    unsafe { driver(device, cache, count, infos.as_ptr(), allocator, pipelines) }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use crate::{Binding, Gpu, GpuError, KernelSource, OpenOptions, Selection};

    thread_local! {
        /// Calls of this thread in which the choice was made: a driver may bound accesses all the same, as llvmpipe does.
        pub(super) static CHOICES: Cell<u32> = const { Cell::new(0) };
    }

    const READ: &str = "
        @group(0) @binding(0) var<storage, read> x: array<u32>;
        @group(0) @binding(1) var<storage, read_write> y: array<u32>;
        @compute @workgroup_size(1) fn main() { y[0] = x[x[0]]; }";

    /// What a kernel reads behind its binding, where the buffer goes on: words count up there.
    fn behind_the_binding(gpu: &Gpu, source: &KernelSource) -> Result<u32, GpuError> {
        let (x, y) = (gpu.storage_buffer("x", 2048)?, gpu.storage_buffer("y", 256)?);
        let words: Vec<u32> = (0..512).map(|i| if i == 0 { 300 } else { 7000 + i }).collect();
        gpu.upload(&x, 0, bytemuck::cast_slice(&words))?;
        let pipeline = gpu.pipeline(source)?;
        let bound = gpu.bind(&pipeline, &[Binding { buffer: x, offset: 0, bytes: 1024 }, Binding::from(&y)])?;
        let mut encoder = gpu.encoder("behind")?;
        gpu.pass(&mut encoder, "behind", |pass| pass.dispatch(&pipeline, &bound, [1, 1, 1], &[]))?;
        gpu.submit("behind", encoder)?;
        Ok(u32::from_le_bytes(gpu.download(&y, 0, 4)?.try_into().expect("four bytes")))
    }

    #[test]
    fn kernels_of_this_project_alone_do_without_robust_access() {
        let open = |robust| match Gpu::open(&Selection::Software, OpenOptions { robust, ..OpenOptions::default() }) {
            Ok(gpu) => Some(gpu),
            Err(error) => {
                assert!(std::env::var("CHIARO_REQUIRE_GPU").is_err(), "{error}");
                eprintln!("skipped: {error}");
                None
            }
        };
        let (Some(plain), Some(robust)) = (open(false), open(true)) else { return };
        assert!(plain.unbounded() && !robust.unbounded());
        let (own, outside) = (KernelSource::own("own", READ), KernelSource::new("outside", READ));
        let read = |gpu: &Gpu, source: &KernelSource| {
            let before = CHOICES.get();
            let value = behind_the_binding(gpu, source).expect("it runs");
            (value, CHOICES.get() - before)
        };
        // Nothing, or by naga's own checks the last word that is bound.
        for (value, choices) in [read(&robust, &own), read(&robust, &outside), read(&plain, &outside)] {
            assert!((value == 0 || value == 7255) && choices == 0, "{value}, {choices}");
        }
        let (value, choices) = read(&plain, &own);
        assert!((value == 0 || value == 7300) && choices == 1, "{value}, {choices}");
    }
}
