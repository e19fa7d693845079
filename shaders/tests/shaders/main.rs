//! The tests of the package: validity without a device, and results on a Vulkan adapter where there is one.

mod device;
mod gemm;
mod structural;
mod valid;
mod variants;
mod winograd;
