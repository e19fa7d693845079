//! Pipelines: wrong kernels are typed errors that leave the device usable; those of users are always checked.

mod support;

use chiaro_gpu::{Binding, BindingAccess, Gpu, GpuError, KernelSource, OpenOptions, StepQueue};
use std::sync::Arc;
use support::{AXPY, assert_usable, filled, run_once, values};

fn axpy() -> KernelSource {
    KernelSource::new("axpy", AXPY)
}

#[test]
fn a_wrong_kernel_is_a_typed_error_and_the_device_stays_usable() {
    let Some(gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    let mut no_entry = axpy();
    no_entry.entry = "absent".to_owned();
    let cases = [
        (KernelSource::new("k", "fn main( {"), "expected"),
        (KernelSource::new("k", "@compute @workgroup_size(1) fn main() { let x: f32 = 1u; }"), "f32"),
        (axpy().constant("absent", 1.0), "absent"),
        (no_entry, "absent"),
        (
            KernelSource::new(
                "k",
                "@group(1) @binding(0) var<storage> a: array<f32>;
                 @compute @workgroup_size(1) fn main() { _ = a[0]; }",
            ),
            "@group(0)",
        ),
        (axpy().constant("size", -1.0), "fit in destination"),
    ];
    for (source, expected) in cases {
        match gpu.pipeline(&source) {
            Err(GpuError::Shader { label, message }) => {
                assert_eq!(label, source.label);
                assert!(message.contains(expected), "{message:?} lacks {expected:?}");
            }
            other => panic!("{source:?}: {other:?}"),
        }
    }
    assert_usable(&gpu);
}

#[test]
fn a_feature_that_the_device_lacks_is_a_typed_error() {
    let Some(gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    // Never requested by this crate, so that every device lacks it.
    let source = KernelSource::new(
        "f64",
        "@group(0) @binding(0) var<storage, read_write> a: array<f64>;
         @compute @workgroup_size(1) fn main() { a[0] = a[0] + a[0]; }",
    );
    let error = gpu.pipeline(&source).expect_err("no f64");
    assert!(matches!(error, GpuError::Shader { .. }), "{error}");
    assert_usable(&gpu);
}

/// Kernels that exceed each limit by a little, through override constants, which wgpu does not check.
#[test]
fn a_kernel_above_the_limits_is_refused_before_it_is_made() {
    let Some(gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    let limits = *gpu.limits();
    let memory = "override count: u32 = 4; var<workgroup> tile: array<f32, count>;
        @group(0) @binding(0) var<storage, read_write> out: array<f32>;
        @compute @workgroup_size(1) fn main() { tile[1] = out[1]; workgroupBarrier(); out[0] = tile[1]; }";
    let flat = "override x: u32 = 1; override y: u32 = 1; override z: u32 = 1;
        @group(0) @binding(0) var<storage, read_write> out: array<f32>;
        @compute @workgroup_size(x, y, z) fn main() { out[0] = 1.0; }";
    let flat = || KernelSource::new("flat", flat);
    let words = limits.workgroup_bytes / 4;
    // On most adapters a workgroup as deep as that has too many invocations as well, and either may be named.
    let side = f64::from(limits.workgroup_invocations).sqrt().floor() + 1.0;
    let cases = [
        (KernelSource::new("memory", memory).constant("count", f64::from(words + 1)), "workgroup memory"),
        (flat().constant("x", side).constant("y", side), "invocations"),
        (flat().constant("z", f64::from(limits.workgroup_size[2] + 1)), "workgroup"),
    ];
    for (source, expected) in cases {
        let error = gpu.pipeline(&source).expect_err("above the limit");
        assert!(matches!(error, GpuError::Limit { .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    let fits = KernelSource::new("memory", memory).constant("count", f64::from(words));
    let pipeline = gpu.pipeline(&fits).expect("exactly the limit fits");
    assert_eq!(pipeline.needs().workgroup_bytes, words * 4);
    assert_usable(&gpu);
}

#[test]
fn too_many_storage_buffers_are_refused() {
    let Some(gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    let count = gpu.limits().storage_buffers + 1;
    let mut wgsl = String::new();
    let mut sum = String::from("0.0");
    for i in 0..count {
        wgsl += &format!("@group(0) @binding({i}) var<storage, read_write> b{i}: array<f32>;\n");
        sum += &format!(" + b{i}[0]");
    }
    wgsl += &format!("@compute @workgroup_size(1) fn main() {{ b0[0] = {sum}; }}");
    let error = gpu.pipeline(&KernelSource::new("many", wgsl)).expect_err("too many");
    assert!(error.to_string().contains("storage buffers"), "{error}");
}

#[test]
fn a_kernel_s_needs_are_read_from_its_source() {
    let Some(gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    let pipeline = gpu.pipeline(&axpy().constant("size", 32.0)).expect("axpy");
    let needs = pipeline.needs();
    assert_eq!(needs.bindings, [(0, BindingAccess::Read), (1, BindingAccess::ReadWrite)]);
    assert_eq!(needs.workgroup_size, [32, 1, 1]);
    assert_eq!((needs.workgroup_bytes, needs.immediate_bytes), (0, 0));
}

#[test]
fn a_kernel_is_compiled_once_and_many_are_compiled_together() {
    let Some(gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    let sources: Vec<_> = (0..24).map(|i| axpy().constant("factor", f64::from(i % 8))).collect();
    let before = gpu.counters().pipelines;
    let made = gpu.pipelines(&sources).expect("all compile");
    assert_eq!(gpu.counters().pipelines - before, 8);
    for (i, pipeline) in made.iter().enumerate() {
        assert!(Arc::ptr_eq(pipeline, &made[i % 8]), "kernel {i}");
    }
    assert!(Arc::ptr_eq(&gpu.pipeline(&sources[3]).expect("cached"), &made[3]));
    let mut with_errors = sources.clone();
    with_errors.insert(5, KernelSource::new("second wrong one", "fn"));
    with_errors.insert(5, KernelSource::new("first wrong one", "fn main"));
    let error = gpu.pipelines(&with_errors).expect_err("two are wrong");
    assert!(error.to_string().contains("first wrong one"), "{error}");
}

/// Workgroup memory shows it: checks clear it, whatever a kernel before left there.
#[test]
fn a_kernel_from_outside_is_compiled_with_every_check_on_any_device() {
    let Some(gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    assert!(!gpu.checked());
    let wgsl = "var<workgroup> tile: array<f32, 64>;
        @group(0) @binding(0) var<storage, read_write> out: array<f32>;
        @compute @workgroup_size(64)
        fn main(@builtin(local_invocation_index) i: u32) {
            out[i] += tile[63u - i];
            workgroupBarrier();
            tile[i] = 7.0;
        }";
    let out = filled(&gpu, "out", &[1.0; 64]);
    for _ in 0..3 {
        run_once(&gpu, &KernelSource::new("clear", wgsl), &[&out], [1, 1, 1]).expect("runs");
    }
    assert_eq!(values(&gpu, &out), [1.0; 64]);
}

#[test]
fn wrong_bindings_and_dispatches_are_refused() {
    let Some(gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    let pipeline = gpu.pipeline(&axpy()).expect("axpy");
    let x = filled(&gpu, "x", &[0.0; 256]);
    let y = filled(&gpu, "y", &[0.0; 256]);
    let part = |buffer, offset, bytes| Binding { buffer, offset, bytes };
    let (whole_x, whole_y) = (Binding::from(&x), Binding::from(&y));
    let refused: [&[Binding]; 6] = [
        std::slice::from_ref(&whole_x),
        &[whole_x.clone(), whole_x.clone()],
        &[part(x.clone(), 0, 0), whole_y.clone()],
        &[part(x.clone(), 4, 16), whole_y.clone()],
        &[part(x.clone(), 0, 1025), whole_y.clone()],
        &[part(x.clone(), u64::MAX - 255, 256), whole_y.clone()],
    ];
    for bindings in refused {
        let result = gpu.bind(&pipeline, bindings);
        assert!(matches!(result, Err(GpuError::Validation { .. })), "{bindings:?}: {result:?}");
    }
    let bound = gpu.bind(&pipeline, &[whole_x, whole_y]).expect("correct");
    let mut queue = StepQueue::new(&gpu, Default::default()).expect("queue");
    let mut step = queue.begin().expect("step");
    let error = step
        .pass("test", |pass| pass.dispatch(&pipeline, &bound, [1, 65_536, 1], &[]))
        .expect_err("too many workgroups");
    assert!(matches!(error, GpuError::Limit { .. }), "{error}");
    let error = step
        .pass("test", |pass| pass.dispatch(&pipeline, &bound, [1, 1, 1], &[0; 4]))
        .expect_err("no immediate data is declared");
    assert!(matches!(error, GpuError::Validation { .. }), "{error}");
    drop(step);
    assert_usable(&gpu);
}

#[test]
fn immediate_data_reaches_the_kernel() {
    let Some(gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    if !gpu.features().immediates {
        eprintln!("skipped: {} has no immediate data", gpu.summary());
        return;
    }
    let wgsl = "struct Values { a: u32, b: f32 }
        var<immediate> values: Values;
        @group(0) @binding(0) var<storage, read_write> out: array<f32>;
        @compute @workgroup_size(1) fn main() { out[values.a] = values.b; }";
    let pipeline = gpu.pipeline(&KernelSource::new("immediate", wgsl)).expect("compiles");
    assert_eq!(pipeline.needs().immediate_bytes, 8);
    let out = filled(&gpu, "out", &[0.0; 4]);
    let bound = gpu.bind(&pipeline, &[Binding::from(&out)]).expect("bind");
    let mut queue = StepQueue::new(&gpu, Default::default()).expect("queue");
    let mut step = queue.begin().expect("step");
    step.pass("test", |pass| {
        for i in 0..4u32 {
            let data = [i.to_le_bytes(), (i as f32 + 0.5).to_le_bytes()].concat();
            pass.dispatch(&pipeline, &bound, [1, 1, 1], &data)?;
        }
        Ok(())
    })
    .expect("records");
    step.submit().expect("submits");
    assert_eq!(values(&gpu, &out), [0.5, 1.5, 2.5, 3.5]);
}

#[test]
fn the_pipeline_cache_survives_on_disk_and_damage_to_it_does_no_harm() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = || Some(folder.path().to_owned());
    let open = || -> Option<Gpu> { support::open(OpenOptions { cache: cache(), ..Default::default() }) };
    let Some(gpu) = open() else { return };
    assert_usable(&gpu);
    let saved = gpu.save_pipeline_cache().expect("writes");
    assert_eq!(saved, gpu.features().pipeline_cache);
    if saved {
        let files: Vec<_> = std::fs::read_dir(folder.path())
            .expect("the folder is there")
            .map(|entry| entry.expect("entry").path())
            .collect();
        assert_eq!(files.len(), 1, "{files:?}");
        assert_usable(&open().expect("opens with the cache"));
        std::fs::write(&files[0], b"chiaroP1 but nothing that a driver wrote").expect("writes");
        assert_usable(&open().expect("opens with a damaged cache"));
    }
}
