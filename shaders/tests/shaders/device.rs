//! Runs a kernel once on whatever Vulkan adapter there is, for comparison with loops in float64.

use chiaro_shaders::{Elem, ShaderKernel, validate};
use wgpu::util::DeviceExt;

/// Rows in which workgroups are dispatched that would fit one.
const ROWS: u32 = 3;

/// A buffer's contents.
#[derive(Clone)]
pub enum Data {
    F32(Vec<f32>),
    I32(Vec<i32>),
    F16(Vec<f32>),
}

impl Data {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = match self {
            Self::F32(v) => bytemuck::cast_slice(v).to_vec(),
            Self::I32(v) => bytemuck::cast_slice(v).to_vec(),
            Self::F16(v) => v.iter().flat_map(|&x| half::f16::from_f32(x).to_le_bytes()).collect(),
        };
        bytes.resize(bytes.len().next_multiple_of(4).max(16), 0);
        bytes
    }

    fn read(&self, bytes: &[u8]) -> Self {
        match self {
            Self::F32(v) => Self::F32(bytemuck::pod_collect_to_vec(&bytes[..4 * v.len()])),
            Self::I32(v) => Self::I32(bytemuck::pod_collect_to_vec(&bytes[..4 * v.len()])),
            Self::F16(v) => {
                let halves = bytes[..2 * v.len()].chunks_exact(2);
                Self::F16(halves.map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32()).collect())
            }
        }
    }

    /// The values as float64.
    pub fn f64(&self) -> Vec<f64> {
        match self {
            Self::F32(v) | Self::F16(v) => v.iter().map(|&x| x.into()).collect(),
            Self::I32(v) => v.iter().map(|&x| x.into()).collect(),
        }
    }
}

/// A device with its queue.
pub struct Device {
    device: wgpu::Device,
    queue: wgpu::Queue,
    /// Whether buffers of 16-bit floats work.
    pub f16: bool,
}

impl Device {
    /// The first Vulkan adapter that can run anything, or `None` with the reason printed.
    pub fn open() -> Option<Self> {
        let opened = pollster::block_on(Self::find());
        if opened.is_none() {
            let required = std::env::var("CHIARO_REQUIRE_GPU").is_ok_and(|value| value == "1");
            assert!(!required, "CHIARO_REQUIRE_GPU=1, but no Vulkan adapter runs compute shaders");
            eprintln!("not run: there is no Vulkan adapter that runs compute shaders");
        }
        opened
    }

    async fn find() -> Option<Self> {
        let mut desc = wgpu::InstanceDescriptor::new_without_display_handle();
        desc.backends = wgpu::Backends::VULKAN;
        let instance = wgpu::Instance::new(desc);
        for adapter in instance.enumerate_adapters(wgpu::Backends::VULKAN).await {
            // A driver on null hardware compiles kernels but runs none.
            let f16 = adapter.features().contains(wgpu::Features::SHADER_F16);
            let request = adapter.request_device(&wgpu::DeviceDescriptor {
                required_features: adapter.features() & wgpu::Features::SHADER_F16,
                required_limits: adapter.limits(),
                ..Default::default()
            });
            if let Ok((device, queue)) = request.await {
                let device = Self { device, queue, f16 };
                if device.computes() {
                    eprintln!("device: {}", adapter.get_info().name);
                    return Some(device);
                }
            }
        }
        None
    }

    /// Whether a sum of two numbers comes back right.
    fn computes(&self) -> bool {
        let sum = chiaro_shaders::kernels::SumParts { parts: 2, count: 1, out: Default::default() };
        let Ok(kernel) = sum.kernel() else { return false };
        let out = self.run(&kernel, &[Data::F32(vec![2.0, 3.0])], Data::F32(vec![0.0]));
        matches!(out, Data::F32(v) if v == [5.0])
    }

    /// Runs the kernel on the inputs; the result has the type and length of `out`, whose values it starts from.
    pub fn run(&self, kernel: &ShaderKernel, inputs: &[Data], out: Data) -> Data {
        let source = kernel.source.build().unwrap_or_else(|e| panic!("{}: {e}", kernel.name));
        if let Err(e) = validate::check(&source, &[]) {
            panic!("{}: {e}", kernel.name);
        }
        let written = output_binding(&source);
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(kernel.name),
            source: wgpu::ShaderSource::Wgsl(source.into()),
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(kernel.name),
            layout: None,
            module: &module,
            entry_point: None,
            compilation_options: Default::default(),
            cache: None,
        });
        let mut operands: Vec<&Data> = inputs.iter().collect();
        operands.insert(written, &out);
        let contents: Vec<Vec<u8>> = operands.into_iter().map(Data::bytes).collect();
        let buffers: Vec<wgpu::Buffer> = contents.iter().map(|c| self.buffer(c)).collect();
        let entries: Vec<_> = buffers
            .iter()
            .enumerate()
            .map(|(i, b)| wgpu::BindGroupEntry { binding: i as u32, resource: b.as_entire_binding() })
            .collect();
        let bind_group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        let mut encoder = self.device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &bind_group, &[]);
            // In several rows, as large dispatches are: kernels must find their number from both dimensions.
            let [x, y, z] = kernel.workgroups;
            pass.dispatch_workgroups(x.div_ceil(ROWS), y * ROWS, z);
        }
        out.read(&self.download(encoder, &buffers[written]))
    }

    fn buffer(&self, contents: &[u8]) -> wgpu::Buffer {
        self.device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: None,
            contents,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC,
        })
    }

    fn download(&self, mut encoder: wgpu::CommandEncoder, buffer: &wgpu::Buffer) -> Vec<u8> {
        let staging = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: buffer.size(),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        encoder.copy_buffer_to_buffer(buffer, 0, &staging, 0, buffer.size());
        self.queue.submit([encoder.finish()]);
        staging.slice(..).map_async(wgpu::MapMode::Read, |result| result.expect("mapped"));
        self.device.poll(wgpu::PollType::wait_indefinitely()).expect("the device answers");
        staging.slice(..).get_mapped_range().expect("mapped").to_vec()
    }
}

/// The number of the result's buffer: the last that a kernel writes, as tests declare it behind others.
fn output_binding(source: &str) -> usize {
    let line = source.lines().rfind(|line| line.contains("var<storage, read_write>"));
    let number = line.and_then(|line| line.split_once("@binding(")?.1.split_once(')'));
    number.and_then(|(number, _)| number.parse().ok()).unwrap_or_else(|| panic!("a kernel without a result:\n{source}"))
}

/// Numbers in -1..1 that are the same every time; different for each seed.
pub fn noise(seed: u32, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9) | 1;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        })
        .collect()
}

/// Random data of an element type, and the same rounded to it, in float64.
pub fn random(seed: u32, count: usize, elem: Elem) -> (Data, Vec<f64>) {
    let values = noise(seed, count);
    match elem {
        Elem::F32 => (Data::F32(values.clone()), values.iter().map(|&x| x.into()).collect()),
        Elem::F16 => {
            let rounded = values.iter().map(|&x| half::f16::from_f32(x).to_f64()).collect();
            (Data::F16(values), rounded)
        }
    }
}

/// Garbage that a kernel must overwrite.
pub fn blank(count: usize, elem: Elem) -> Data {
    match elem {
        Elem::F32 => Data::F32(vec![7e7; count]),
        Elem::F16 => Data::F16(vec![7e4; count]),
    }
}

/// The largest relative error allowed.
pub fn tolerance(elem: Elem) -> f64 {
    match elem {
        Elem::F32 => 1e-6,
        Elem::F16 => 1e-3,
    }
}

/// ||a - b|| / ||b||, infinite where lengths differ or a value is not a number.
pub fn relative_error(a: &[f64], b: &[f64]) -> f64 {
    if a.len() != b.len() {
        return f64::INFINITY;
    }
    let difference: f64 = a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum();
    let norm: f64 = b.iter().map(|y| y.powi(2)).sum();
    let error = (difference / norm.max(1e-30)).sqrt();
    if error.is_nan() { f64::INFINITY } else { error }
}
