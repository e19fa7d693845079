//! All of the crate's unsafe code, behind interfaces that are safe to call. Four reasons open the room: memory that holds many
//! values at different times, tiles that no slice can be cut into, vector instructions, and the micro-kernels' loads (three files). Elsewhere the
//! lint `unsafe_code` refuses it.
#![allow(unsafe_code)]

pub(crate) mod depthwise_lines;
pub(crate) mod lanes;
pub(crate) mod memory;
mod micro_kernels;
pub(crate) mod simd;
pub(crate) mod tile;
