//! Nothing is allocated for a batch once the loader's buffers exist: counted by the allocator.
#![allow(unsafe_code)] // An allocator that counts is the only witness; it hands on to the system's.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chiaro_data::{Batch, InMemory, Loader, LoaderOptions};

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::SeqCst);
        // SAFETY: the caller's promises are handed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are handed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations_of_an_epoch(loader: &Loader, epoch: u64) -> usize {
    let mut running = loader.epoch(epoch, 0).unwrap();
    // The first batch shows that the thread has started.
    drop(running.next().unwrap().unwrap());
    let before = ALLOCATIONS.load(Ordering::SeqCst);
    let images: usize = running.by_ref().map(|batch| batch.unwrap().valid).sum();
    let after = ALLOCATIONS.load(Ordering::SeqCst);
    assert_eq!(images, 1990);
    after - before
}

#[test]
fn a_batch_costs_no_allocation_once_the_buffers_exist() {
    let classes = vec!["only".to_string()];
    let set = InMemory::new(vec![9; 2000 * 48], vec![0; 2000], [4, 4, 3], classes).unwrap();
    let options = LoaderOptions::training(10, 1);
    let most_in_use = options.queue + 1 + 1;
    let loader = Loader::new(Arc::new(set), options).unwrap();
    let held: Vec<Batch> = loader.epoch(0, 0).unwrap().take(most_in_use).map(Result::unwrap).collect();
    drop(held);

    // The thread that waits for this test may allocate now and then, so that some epochs must cost nothing, not each.
    let costs: Vec<usize> = (1..=5).map(|epoch| allocations_of_an_epoch(&loader, epoch)).collect();
    assert!(costs.contains(&0), "{costs:?}");
    // The counter does count.
    let before = ALLOCATIONS.load(Ordering::SeqCst);
    drop(std::hint::black_box(vec![1u8; 100]));
    assert!(ALLOCATIONS.load(Ordering::SeqCst) > before);
}
