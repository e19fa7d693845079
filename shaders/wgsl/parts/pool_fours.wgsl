// Four neighbouring channels in an invocation.

alias Val = vec4<f32>;
const QUADS: u32 = CHANNELS / 4u;
