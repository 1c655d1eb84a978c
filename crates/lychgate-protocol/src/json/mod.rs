//! The JSON-object codec of broadcast endpoints.
//!
//! Owns the stamping of a client's object with what the server knows ([`stamp`]) and the frame that answers an
//! object nobody understands ([`error_frame`]).
//!
//! **Invariant:** what leaves here is valid JSON, because every part is either checked client text or a [`RawJson`].
//!
//! **Absent on purpose:** a tree of values.
//! Numbers would change their spelling on the way through one, and building it costs more than the rest of a publish.

mod error_frame;
mod raw;
mod stamp;
mod type_is;

pub use error_frame::error_frame;
pub(crate) use raw::push_string;
pub use raw::{NotJson, RawJson};
pub(crate) use stamp::is_deeper;
pub use stamp::{DEPTH_MAX, Kind, StampRefusal, stamp};
pub use type_is::type_is;
