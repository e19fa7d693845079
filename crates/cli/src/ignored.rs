//! Whether a signal is ignored. The only unsafe code of this crate: the standard library and the signal crates can set what a
//! signal does, but not ask for it.
#![allow(unsafe_code)]

/// Whether this process ignores the signal, as `nohup` makes programs do that it starts.
pub fn is_ignored(signal: i32) -> bool {
    let mut now = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action the call only writes the present one to `now`, which has its type; zeros are a valid value of
    // it, so it may be read whether or not the call succeeds.
    let now = unsafe {
        libc::sigaction(signal, std::ptr::null(), now.as_mut_ptr());
        now.assume_init()
    };
    now.sa_sigaction == libc::SIG_IGN
}
