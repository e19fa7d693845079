//! Buffers: zero at first, within limits and budget, counted, and copied exactly at any size.

mod support;

use chiaro_gpu::{GpuError, OpenOptions};

#[test]
fn a_buffer_above_the_limits_is_refused_before_it_is_made() {
    let Some(gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    let before = gpu.counters();
    for bytes in [gpu.limits().binding_bytes + 1, u64::MAX] {
        let error = gpu.storage_buffer("features of block 3", bytes).expect_err("too large");
        match &error {
            GpuError::Limit { needed, available, .. } => {
                assert!(*needed == bytes && *available == gpu.limits().binding_bytes)
            }
            other => panic!("{other}"),
        }
        assert!(error.to_string().contains("features of block 3"), "{error}");
    }
    assert_eq!(gpu.counters(), before, "nothing was allocated");
    support::assert_usable(&gpu);
}

#[test]
fn the_byte_budget_is_kept_and_freed_memory_comes_back() {
    let Some(gpu) = support::open(OpenOptions { budget_bytes: Some(1 << 20), ..Default::default() }) else {
        return;
    };
    let start = gpu.counters();
    let large = gpu.storage_buffer("large", 900 << 10).expect("within the budget");
    assert_eq!(gpu.counters().bytes - start.bytes, 900 << 10);
    assert_eq!(gpu.counters().count - start.count, 1);
    let error = gpu.storage_buffer("more", 200 << 10).expect_err("above the budget");
    assert!(matches!(error, GpuError::Limit { .. }), "{error}");
    drop(large);
    assert_eq!(gpu.counters().bytes, start.bytes);
    gpu.storage_buffer("more", 200 << 10).expect("there is room again");
}

#[test]
fn a_new_buffer_is_zero() {
    let Some(gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    for bytes in [4, 100, 70_000] {
        let buffer = gpu.storage_buffer("new", bytes).expect("buffer");
        let content = gpu.download(&buffer, 0, bytes).expect("download");
        assert_eq!(content, vec![0; bytes as usize]);
    }
}

#[test]
fn copies_of_any_size_come_back_exactly() {
    let Some(gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    // More than two of the parts in which large copies go, and lengths that are no multiple of 4.
    for bytes in [1, 2, 3, 4, 5, 1023, (40 << 20) + 7] {
        let data: Vec<u8> = (0..bytes).map(|i| (i * 31 + i / 251) as u8).collect();
        let buffer = gpu.storage_buffer("data", bytes as u64).expect("buffer");
        gpu.upload(&buffer, 0, &data).expect("upload");
        let back = gpu.download(&buffer, 0, bytes as u64).expect("download");
        assert!(back == data, "{bytes} bytes differ");
    }
}

#[test]
fn a_copy_that_would_touch_its_neighbours_is_refused() {
    let Some(gpu) = support::open(OpenOptions::default()) else {
        return;
    };
    let buffer = gpu.storage_buffer("data", 14).expect("buffer");
    gpu.upload(&buffer, 4, &[1; 4]).expect("aligned");
    gpu.upload(&buffer, 8, &[2; 6]).expect("up to the end");
    for (offset, length) in [(0, 3), (2, 4), (12, 3), (16, 4), (u64::MAX - 3, 4)] {
        let refused = gpu.upload(&buffer, offset, &vec![9; length]);
        assert!(matches!(refused, Err(GpuError::Validation { .. })), "{length} bytes at {offset}: {refused:?}");
        let refused = gpu.download(&buffer, offset, length as u64);
        assert!(matches!(refused, Err(GpuError::Validation { .. })));
    }
    let content = gpu.download(&buffer, 0, 14).expect("download");
    assert_eq!(content, [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2]);
}
