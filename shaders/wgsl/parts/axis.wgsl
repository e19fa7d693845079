// A tensor seen along one axis: [OUTER, AXIS, INNER].

alias Elem = f32;
const OUTER: u32 = 2u;
const AXIS: u32 = 4u;
const INNER: u32 = 2u;
