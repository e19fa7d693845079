//! A plan on a device: its buffers, pipelines and bind groups made once, then step after step in one submission each.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use chiaro_graph::plan::{Buffer, BufferKind, Plan, PlanOutput};
use chiaro_graph::{ArenaInfo, Call, DType, Graph, InputInfo, Tensor};

use crate::device::bytes::{tensor_bytes, tensor_from_bytes};
use crate::run::planned::{self, Bound, PlannedDispatch};
use crate::run::profile::HostTimes;
use crate::tune::Tuned;
use crate::{
    BindGroup, Binding, ComputePass, Gpu, GpuBuffer, GpuError, KernelSource, Pipeline, ReadTicket, Recording,
    StepQueue, StepSizes,
};

/// Outputs of at most this many bytes together come back with every step; larger ones when they are asked for.
const SMALL_OUTPUTS: u64 = 16 << 10;

/// Each piece of staging memory begins at a multiple of this many bytes.
const STAGING_ALIGNMENT: u64 = 16;

/// A dispatch ready to be recorded.
pub(crate) struct PlanCommand {
    pipeline: Arc<Pipeline>,
    bound: BindGroup,
    workgroups: [u32; 3],
    /// What it does, for profiles.
    pub call: Call,
}

impl PlanCommand {
    /// Records it.
    pub fn record(&self, pass: &mut ComputePass<'_>) -> Result<(), GpuError> {
        pass.dispatch(&self.pipeline, &self.bound, self.workgroups, &[])
    }
}

/// A compiled plan.
pub(crate) struct PlanExecutor {
    gpu: Gpu,
    pub inputs: Vec<InputInfo>,
    /// Buffer of each input that is used.
    input_buffers: Vec<Option<GpuBuffer>>,
    outputs: Vec<(PlanOutput, GpuBuffer)>,
    commands: Vec<PlanCommand>,
    queue: StepQueue,
    /// Outputs travel with their step.
    small: bool,
    ticket: Option<ReadTicket>,
    has_run: bool,
}

impl PlanExecutor {
    /// Allocates a plan's buffers (arenas are looked up in `arenas`) and compiles its kernels.
    pub fn new(
        gpu: &Gpu,
        graph: &Graph,
        plan: &Plan,
        arenas: &HashMap<String, (ArenaInfo, GpuBuffer)>,
        tuned: &Tuned,
    ) -> Result<PlanExecutor, GpuError> {
        let buffers: Vec<GpuBuffer> =
            (0..plan.buffers.len()).map(|i| buffer(gpu, graph, plan, i, arenas)).collect::<Result<_, _>>()?;
        fill(gpu, graph, plan, &buffers)?;
        let commands = commands(gpu, plan, &buffers, tuned)?;
        let input_buffers: Vec<Option<GpuBuffer>> = plan.inputs.iter().map(|i| i.map(|i| buffers[i].clone())).collect();
        let staged = |bytes: u64| bytes.next_multiple_of(STAGING_ALIGNMENT);
        let upload = input_buffers.iter().flatten().map(|b| staged(b.bytes())).sum();
        let outputs: Vec<(PlanOutput, GpuBuffer)> =
            plan.outputs.iter().map(|o| (o.clone(), buffers[o.buffer].clone())).collect();
        let readback = outputs.iter().map(|(o, _)| staged(range(o).1)).sum();
        let small = readback <= SMALL_OUTPUTS;
        let queue = StepQueue::new(gpu, StepSizes { upload, readback: if small { readback } else { 0 } })?;
        Ok(PlanExecutor {
            gpu: gpu.clone(),
            inputs: graph.inputs().to_vec(),
            input_buffers,
            outputs,
            commands,
            queue,
            small,
            ticket: None,
            has_run: false,
        })
    }

    /// Kernel calls of a step.
    pub fn dispatches(&self) -> usize {
        self.commands.len()
    }

    /// What the kernels of a step do, in order.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.commands.iter().map(|command| &command.call)
    }

    /// When the host did what for the last step.
    pub fn host_times(&self) -> Option<&HostTimes> {
        self.queue.times()
    }

    /// Waits until one more step is to be submitted.
    pub fn turn(&mut self) -> Result<(), GpuError> {
        self.queue.turn()
    }

    /// When one more step is to be submitted.
    pub fn turn_async(&mut self) -> impl Future<Output = Result<(), GpuError>> + use<> {
        self.queue.turn_async()
    }

    /// Submits one step. `inputs` fit what the graph declares.
    pub fn submit(&mut self, inputs: &[Tensor]) -> Result<(), GpuError> {
        self.step(inputs, |step, commands| {
            step.pass("step", |pass| commands.iter().try_for_each(|command| command.record(pass)))
        })
    }

    /// Submits one step whose kernels are recorded by `kernels`.
    pub fn step(
        &mut self,
        inputs: &[Tensor],
        kernels: impl FnOnce(&mut Recording<'_>, &[PlanCommand]) -> Result<(), GpuError>,
    ) -> Result<(), GpuError> {
        self.ticket = None;
        let mut step = self.queue.begin()?;
        for (tensor, buffer) in inputs.iter().zip(&self.input_buffers) {
            if let Some(buffer) = buffer {
                step.upload(buffer, 0, tensor_bytes(tensor))?;
            }
        }
        kernels(&mut step, &self.commands)?;
        if self.small {
            for (output, buffer) in &self.outputs {
                let (offset, bytes) = range(output);
                step.readback(buffer, offset, bytes)?;
            }
        }
        self.ticket = step.submit()?;
        self.has_run = true;
        Ok(())
    }

    /// An output of the last step, as it is now; `None` if there is none of this number or no step was run.
    pub fn read_async(&self, output: usize) -> Option<impl Future<Output = Result<Tensor, GpuError>> + use<>> {
        let (info, buffer) = self.outputs.get(output).filter(|_| self.has_run)?;
        let (offset, bytes) = range(info);
        let (shape, dtype) = (info.shape.clone(), info.dtype);
        let sent = self.ticket.as_ref().map(|ticket| self.queue.piece_async(ticket, output));
        let asked = sent.is_none().then(|| self.gpu.download_async(buffer, offset, bytes));
        Some(async move {
            let data = match (sent, asked) {
                (Some(sent), _) => sent.await?,
                (None, Some(asked)) => asked.await?,
                (None, None) => vec![],
            };
            tensor_from_bytes(&shape, dtype, &data).ok_or_else(|| GpuError::Validation {
                what: format!("output {output}"),
                message: format!("{} bytes are no {dtype} tensor of {shape:?}", data.len()),
            })
        })
    }
}

/// Where an output lies in its buffer: first byte and number of bytes.
fn range(output: &PlanOutput) -> (u64, u64) {
    ((output.offset * output.dtype.size()) as u64, tensor_size(&output.shape, output.dtype))
}

fn buffer(
    gpu: &Gpu,
    graph: &Graph,
    plan: &Plan,
    number: usize,
    arenas: &HashMap<String, (ArenaInfo, GpuBuffer)>,
) -> Result<GpuBuffer, GpuError> {
    let buffer = &plan.buffers[number];
    let label = match buffer.kind {
        BufferKind::Input(id) => format!("input {}", graph.inputs()[id.index()].name),
        BufferKind::Arena(id) => format!("arena {}", graph.arenas()[id.index()].name),
        BufferKind::Constant(_) => "constant".to_owned(),
        BufferKind::Zeroed => "gradients".to_owned(),
        BufferKind::Output => "output".to_owned(),
        BufferKind::Slot => "intermediates".to_owned(),
    };
    if let BufferKind::Arena(id) = buffer.kind
        && let Some((_, made)) = arenas.get(&graph.arenas()[id.index()].name)
    {
        return Ok(made.clone());
    }
    gpu.storage_buffer(&label, exact_bytes(graph, plan, number))
}

/// Writes what the buffers of a plan hold before its first step, but for arenas: constants and zeros.
fn fill(gpu: &Gpu, graph: &Graph, plan: &Plan, buffers: &[GpuBuffer]) -> Result<(), GpuError> {
    let all = || plan.buffers.iter().zip(buffers);
    let own = all().filter(|(buffer, _)| !matches!(buffer.kind, BufferKind::Arena(_)));
    gpu.clear(own.map(|(_, made)| made))?;
    for (buffer, made) in all() {
        if let BufferKind::Constant(id) = buffer.kind {
            gpu.upload(made, 0, tensor_bytes(&graph.constants()[id.index()]))?;
        }
    }
    Ok(())
}

/// The size without the filling up to whole words that plans add: copies end with their tensor.
fn exact_bytes(graph: &Graph, plan: &Plan, number: usize) -> u64 {
    let Buffer { kind, bytes } = plan.buffers[number];
    let exact = match kind {
        BufferKind::Input(id) => tensor_size(&graph.inputs()[id.index()].shape, graph.inputs()[id.index()].dtype),
        BufferKind::Constant(id) => {
            tensor_size(graph.constants()[id.index()].shape(), graph.constants()[id.index()].dtype())
        }
        BufferKind::Output => {
            let ends = plan.outputs.iter().filter(|o| o.buffer == number).map(|o| range(o).0 + range(o).1);
            ends.max().unwrap_or(0)
        }
        BufferKind::Arena(_) | BufferKind::Zeroed | BufferKind::Slot => bytes as u64,
    };
    if exact.next_multiple_of(4) == bytes as u64 { exact } else { bytes as u64 }
}

fn tensor_size(shape: &[usize], dtype: DType) -> u64 {
    (shape.iter().product::<usize>() * dtype.size()) as u64
}

/// Compiles every kernel of a plan, all at once, and binds its buffers.
fn commands(gpu: &Gpu, plan: &Plan, buffers: &[GpuBuffer], tuned: &Tuned) -> Result<Vec<PlanCommand>, GpuError> {
    let dispatches = planned::dispatches(plan, tuned)?;
    let sources: Vec<KernelSource> = dispatches.iter().map(|d| d.source.clone()).collect();
    let pipelines = gpu.pipelines(&sources)?;
    let command = |(dispatch, pipeline): (PlannedDispatch, Arc<Pipeline>)| {
        let PlannedDispatch { mut call, bound, workgroups, .. } = dispatch;
        planned::sized(&mut call, pipeline.needs());
        let part = |b: Bound| Binding { buffer: buffers[b.buffer].clone(), offset: b.offset, bytes: b.bytes };
        let bound = gpu.bind(&pipeline, &bound.into_iter().map(part).collect::<Vec<_>>())?;
        Ok(PlanCommand { pipeline, bound, workgroups, call })
    };
    dispatches.into_iter().zip(pipelines).map(command).collect()
}
