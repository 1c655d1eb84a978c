//! Channels that clients name themselves, many on one connection: which there are, who may do what in them, and who is
//! there.
//!
//! **Invariant:** a channel without a namespace does not exist, and a namespace says by which policy it is entered.
//!
//! **Absent on purpose:** the wire. What a command looks like is the edge's to know.

mod access;
mod bearing;
mod callback;
mod namespace;
mod operator;
mod options;
mod pattern;
mod remembered;
mod renewal;
mod roster;
mod vouch;

pub use access::{ChannelAccess, Entrance, Extras, Member, NotEntered};
pub use bearing::Bearing;
pub(crate) use bearing::CLAIMS as BEARING_CLAIMS;
pub use callback::{Answered, Callback, Newcomer, Way, Wish, said};
pub use namespace::{Asked, Namespace, Namespaces, Twins, Who};
pub use operator::{NotDone, Operator, Posting};
pub use options::{BadOption, Options, Overrides};
pub use pattern::{ChannelPattern, PatternFault};
pub use renewal::Renewal;
pub use roster::{Occupancy, Roster};
pub use vouch::{Vouch, VouchRefused};
