//! What an adapter is and can do, in a form that can be printed.

use std::fmt;

use wgpu::{Backend, DeviceType, Features};

use crate::device::matrices::MatrixShape;

/// The most workgroups a dispatch may have in one dimension; some drivers report more than they can do.
pub const MAX_WORKGROUPS_PER_DIMENSION: u32 = 65_535;

/// What an adapter is, in the order in which adapters are preferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AdapterKind {
    /// A graphics card with its own memory.
    Discrete,
    /// A GPU that shares the memory of the CPU.
    Integrated,
    /// A GPU seen through a virtual machine.
    Virtual,
    /// Not known.
    Other,
    /// No GPU at all: shaders run on the CPU. Used only when named.
    Software,
}

impl fmt::Display for AdapterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Discrete => "discrete GPU",
            Self::Integrated => "integrated GPU",
            Self::Virtual => "virtual GPU",
            Self::Other => "unknown kind",
            Self::Software => "software",
        })
    }
}

/// The features of an adapter that kernels of this project can use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdapterFeatures {
    /// 16-bit floats in shaders.
    pub f16: bool,
    /// Subgroup operations, with the smallest and largest subgroup size in invocations.
    pub subgroups: Option<(u32, u32)>,
    /// Timestamps of passes.
    pub timestamps: bool,
    /// Immediate data (push constants).
    pub immediates: bool,
    /// Compiled pipelines can be kept on disk.
    pub pipeline_cache: bool,
    /// The cooperative matrix shapes, as `MxNxK inputs->accumulator`; empty where there are none.
    pub cooperative_matrix: Vec<String>,
}

impl AdapterFeatures {
    /// What matrices of 16x16x16, of f16 with f32 sums, are on this adapter: themselves, or made of the largest that divide them; `None`
    /// without any.
    pub(crate) fn sixteen(&self) -> Option<MatrixShape> {
        let shape = |text: &String| {
            let mut extents = text.strip_suffix(" F16->F32")?.split('x').map(|extent| extent.parse().ok());
            Some([extents.next()??, extents.next()??, extents.next()??])
        };
        let divides = |shape: &MatrixShape| shape.iter().all(|extent| [8, 16].contains(extent));
        let shapes = self.cooperative_matrix.iter().filter_map(shape).filter(divides);
        shapes.max_by_key(|shape| shape.iter().product::<u32>())
    }
}

/// The limits of an adapter that decide whether a model fits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AdapterLimits {
    /// The largest buffer, in bytes.
    pub buffer_bytes: u64,
    /// The largest part of a buffer that a kernel can see, in bytes.
    pub binding_bytes: u64,
    /// Storage buffers a kernel can use.
    pub storage_buffers: u32,
    /// What the offset of a binding must be a multiple of, in bytes.
    pub binding_alignment: u32,
    /// Invocations of a workgroup, all dimensions together.
    pub workgroup_invocations: u32,
    /// Invocations of a workgroup along x, y and z.
    pub workgroup_size: [u32; 3],
    /// Workgroup memory, in bytes.
    pub workgroup_bytes: u32,
    /// Workgroups of a dispatch in each dimension.
    pub workgroups_per_dimension: u32,
    /// Immediate data of a pipeline, in bytes.
    pub immediate_bytes: u32,
}

/// One adapter as `chiaro devices` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdapterSummary {
    /// Its place in the list, as in `gpu:INDEX`.
    pub index: usize,
    /// The name its driver gives it.
    pub name: String,
    /// The graphics API it is reached through: `vulkan`, `metal` or `dx12`.
    pub backend: String,
    /// Driver and its version.
    pub driver: String,
    /// What it is.
    pub kind: AdapterKind,
    /// PCI vendor and device numbers (0 where the API has none).
    pub pci: (u32, u32),
    /// Its features.
    pub features: AdapterFeatures,
    /// Its limits.
    pub limits: AdapterLimits,
}

impl fmt::Display for AdapterSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {})", self.name, self.backend, self.kind)
    }
}

pub(super) fn summarize(adapter: &wgpu::Adapter) -> AdapterSummary {
    let info = adapter.get_info();
    let driver = [info.driver.trim(), info.driver_info.trim()]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    AdapterSummary {
        index: 0,
        name: info.name.clone(),
        backend: info.backend.to_str().to_owned(),
        driver,
        kind: match info.device_type {
            DeviceType::DiscreteGpu => AdapterKind::Discrete,
            DeviceType::IntegratedGpu => AdapterKind::Integrated,
            DeviceType::VirtualGpu => AdapterKind::Virtual,
            DeviceType::Cpu => AdapterKind::Software,
            DeviceType::Other => AdapterKind::Other,
        },
        pci: (info.vendor, info.device),
        features: summarize_features(adapter, &info),
        limits: summarize_limits(&adapter.limits(), adapter.features()),
    }
}

fn summarize_features(adapter: &wgpu::Adapter, info: &wgpu::AdapterInfo) -> AdapterFeatures {
    let features = adapter.features();
    let mut cooperative_matrix = Vec::new();
    if features.contains(Features::EXPERIMENTAL_COOPERATIVE_MATRIX) {
        for shape in adapter.cooperative_matrix_properties() {
            let text =
                format!("{}x{}x{} {:?}->{:?}", shape.m_size, shape.n_size, shape.k_size, shape.ab_type, shape.cr_type);
            if !cooperative_matrix.contains(&text) {
                cooperative_matrix.push(text);
            }
        }
    }
    AdapterFeatures {
        f16: features.contains(Features::SHADER_F16),
        subgroups: features.contains(Features::SUBGROUP).then_some((info.subgroup_min_size, info.subgroup_max_size)),
        timestamps: features.contains(Features::TIMESTAMP_QUERY),
        immediates: features.contains(Features::IMMEDIATES),
        pipeline_cache: features.contains(Features::PIPELINE_CACHE),
        cooperative_matrix,
    }
}

pub(crate) fn summarize_limits(limits: &wgpu::Limits, features: Features) -> AdapterLimits {
    let immediates = features.contains(Features::IMMEDIATES);
    AdapterLimits {
        buffer_bytes: limits.max_buffer_size,
        binding_bytes: limits.max_storage_buffer_binding_size.min(limits.max_buffer_size),
        storage_buffers: limits.max_storage_buffers_per_shader_stage,
        binding_alignment: limits.min_storage_buffer_offset_alignment,
        workgroup_invocations: limits.max_compute_invocations_per_workgroup,
        workgroup_size: [
            limits.max_compute_workgroup_size_x,
            limits.max_compute_workgroup_size_y,
            limits.max_compute_workgroup_size_z,
        ],
        workgroup_bytes: limits.max_compute_workgroup_storage_size,
        workgroups_per_dimension: limits.max_compute_workgroups_per_dimension.min(MAX_WORKGROUPS_PER_DIMENSION),
        immediate_bytes: if immediates { limits.max_immediate_size } else { 0 },
    }
}

/// How much a backend is preferred where one adapter is seen through several, smallest first.
pub(crate) fn backend_rank(backend: &str) -> usize {
    let order = [Backend::Vulkan, Backend::Metal, Backend::Dx12];
    order.iter().position(|candidate| candidate.to_str() == backend).unwrap_or(order.len())
}
