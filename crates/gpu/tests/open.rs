//! Opening devices: what is found, what is chosen, and what is said when there is nothing.

mod support;

use chiaro_gpu::{AdapterKind, Adapters, Gpu, GpuError, OpenOptions, Selection};

#[test]
fn an_open_device_reports_what_kernels_may_use() {
    let Some(gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    let (summary, limits) = (gpu.summary(), gpu.limits());
    assert!(!summary.name.is_empty() && !gpu.why().is_empty());
    assert!(limits.binding_bytes >= 128 << 20 && limits.binding_bytes <= limits.buffer_bytes);
    assert!(limits.storage_buffers >= 8);
    assert!(limits.workgroup_invocations >= 256 && limits.workgroup_bytes >= 16 << 10);
    assert_eq!(limits.workgroups_per_dimension, 65_535);
    assert_eq!(limits.immediate_bytes > 0, gpu.features().immediates);
    assert!(gpu.features().cooperative_matrix.is_empty(), "experimental features are off unless they are asked for");
    support::assert_usable(&gpu);
}

#[test]
fn an_unknown_name_is_refused_with_the_list_of_adapters() {
    let Some(gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    let selection: Selection = "gpu:no such thing".parse().expect("a name");
    let error = Gpu::open(&selection, OpenOptions::default()).expect_err("no such adapter");
    assert!(matches!(error, GpuError::UnknownAdapter { .. }), "{error}");
    assert!(error.to_string().contains(&gpu.summary().name), "{error}");
}

#[test]
fn a_software_adapter_is_opened_only_when_named() {
    let Some(_gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    let adapters = Adapters::enumerate().expect("adapters");
    let chosen = adapters.choose(&Selection::Auto);
    match chosen {
        Ok(choice) => assert_ne!(choice.summary.kind, AdapterKind::Software),
        Err(error) => assert!(matches!(error, GpuError::NoAdapter { .. }), "{error}"),
    }
    for (index, summary) in adapters.summaries().iter().enumerate() {
        let by_index = adapters.choose(&Selection::Index(index)).expect("the index is in the list");
        assert_eq!(by_index.summary, *summary);
    }
}
