//! Handles into a graph: values, inputs, states, arenas, constants. Each knows its graph, so that one of another graph is an error.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

/// Which graph a handle belongs to. A clone of a graph keeps the tag: handles from before the clone are good in both.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Tag(u32);

static TAGS: AtomicU32 = AtomicU32::new(0);

impl Default for Tag {
    fn default() -> Tag {
        Tag(TAGS.fetch_add(1, Ordering::Relaxed))
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tag")
    }
}

/// A value of a graph.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Var {
    index: u32,
    tag: Tag,
}

impl Var {
    pub(crate) fn new(index: usize, tag: Tag) -> Var {
        Var { index: index as u32, tag }
    }

    /// Position of the node in the graph.
    pub fn index(self) -> usize {
        self.index as usize
    }

    pub(crate) fn tag(self) -> Tag {
        self.tag
    }
}

impl fmt::Debug for Var {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Var({})", self.index)
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $Id:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $Id(pub(crate) usize, pub(crate) Tag);

        impl $Id {
            /// Its place among those of the graph.
            pub fn index(self) -> usize {
                self.0
            }
        }

        impl fmt::Debug for $Id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($Id), self.0)
            }
        }
    };
}

id! {
    /// Index into [`Graph::inputs`](crate::Graph::inputs).
    InputId
}
id! {
    /// Index into [`Graph::states`](crate::Graph::states).
    StateId
}
id! {
    /// Index into [`Graph::arenas`](crate::Graph::arenas).
    ArenaId
}
id! {
    /// Index into [`Graph::constants`](crate::Graph::constants).
    ConstantId
}
