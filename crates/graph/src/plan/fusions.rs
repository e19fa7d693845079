//! Which fusions a plan may have: all of them, unless someone wants to know what one of them is worth.

/// The fusions that can be switched off one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fusions {
    /// Pointwise calls become the end of the call that produces their operand, and small ones are joined.
    pub pointwise: bool,
    /// Reductions over all axes but the last are made by the kernel whose results they reduce.
    pub columns: bool,
    /// What depends on the channel alone is computed where the channel's reduction is finished.
    pub hoist: bool,
    /// Convolutions compute their input from other tensors as they read it.
    pub inline: bool,
    /// Those inputs may be stored by the kernel that computes them, for others.
    pub keep: bool,
    /// Short kernels that do not depend on one another are one dispatch of a GPU.
    pub beside: bool,
}

impl Fusions {
    /// All of them.
    pub const ALL: Fusions =
        Fusions { pointwise: true, columns: true, hoist: true, inline: true, keep: true, beside: true };
    /// None of them: reductions over the same points are still made together.
    pub const NONE: Fusions =
        Fusions { pointwise: false, columns: false, hoist: false, inline: false, keep: false, beside: false };
}

impl Default for Fusions {
    fn default() -> Self {
        Fusions::ALL
    }
}
