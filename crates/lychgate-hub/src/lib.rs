//! Who receives what: channels, sessions and the queue in front of every socket.
//!
//! The hub takes a published frame, encodes it once per [`Class`] of its channel, joins it with the frames that came
//! at the same time into one shared batch, and gives every member one slice of that batch.
//! Everything that leaves a socket, direct answers included, goes through that session's one outbox,
//! and the outbox's order is the only order there is.
//!
//! **Invariant:** a session receives every frame published to a channel between its joining and its leaving,
//! in the order of publication and once; or it is closed as slow and told so with its last frame.
//! Whoever is in a channel when it ends receives all that was published to it, and then the last frame of its own sink.
//! Every queue in here is bounded, and no lock that two sessions share is held while a socket is written.
//!
//! **Absent on purpose:** there is no runtime, no clock, no serialisation and no transport.
//! The hub wakes a [`std::task::Waker`] per shard and hands byte slices to a [`Sink`],
//! so that a seeded simulation can stand in for the sockets, the scheduler and the network.
//!
//! # Two capabilities
//!
//! [`Hub::new`] gives a [`Registrar`], which decides who receives (subscribe, publish, revoke),
//! and a [`Drain`], which moves bytes to sockets (open, send, flush, close).
//! Whoever holds only one of them cannot do the work of the other.
//!
//! # Locks and their order
//!
//! A thread that holds a lock of this list takes only locks further down:
//!
//! 1. a channel (its groups and pending frames; held while a batch is handed out to the members);
//! 2. a stripe of the channel directory;
//! 3. a session's memberships;
//! 4. a session's outbox (held over the write that never waits);
//! 5. a shard (its ready list, its dirty list, its waker).
//!
//! Two locks of the same rank are never held together.
//! [`Encode::encode`], [`Sink::write`], [`Sink::farewell`] and [`Witness`] are called with locks held and must not call the hub.
//!
//! # Example
//!
//! ```
//! use std::io::IoSlice;
//! use std::sync::{Arc, Mutex};
//!
//! use bytes::Bytes;
//! use lychgate_hub::{Class, Farewell, Flushed, Hub, HubConfig, OutboxLimits, Sink, Written};
//! # fn name(text: &str) -> lychgate_protocol::channel::ChannelName { text.try_into().expect("a valid name") }
//!
//! #[derive(Default)]
//! struct Socket(Mutex<Vec<u8>>);
//!
//! impl Sink for Socket {
//!     fn write(&self, slices: &[IoSlice<'_>]) -> Written {
//!         let mut wire = self.0.lock().expect("not poisoned");
//!         slices.iter().for_each(|slice| wire.extend_from_slice(slice));
//!         Written::Bytes(slices.iter().map(|slice| slice.len()).sum())
//!     }
//!     fn farewell(&self, _: Farewell) -> Bytes {
//!         Bytes::from_static(b"slow;")
//!     }
//!     fn finished(&self) {}
//! }
//!
//! let (registrar, drain) = Hub::new(HubConfig::default());
//! let socket = Arc::new(Socket::default());
//! let session = drain.open(OutboxLimits::default(), socket.clone());
//! let room = name("room");
//! let subscription = registrar.subscribe(&session, &room, Class(0))?;
//!
//! let frame = |_: Class, offset: u64, out: &mut Vec<u8>| out.extend_from_slice(format!("hello {offset};").as_bytes());
//! assert_eq!(registrar.publish(&room, 1, &frame, None).sessions, 1);
//!
//! let shard = 0;
//! drain.seal(shard);
//! assert_eq!(drain.flush(shard, 256), Flushed::Idle);
//! assert_eq!(socket.0.lock().expect("not poisoned").as_slice(), b"hello 1;");
//!
//! assert!(registrar.unsubscribe(subscription).channel_vacated);
//! drain.close(&session);
//! # Ok::<(), lychgate_hub::SubscribeError>(())
//! ```

mod batch;
mod channel;
mod config;
mod counters;
mod directory;
mod distribution;
mod drain;
mod encode;
mod group;
mod hub;
mod outbox;
mod pending;
mod registrar;
mod session;
mod shard;
mod sink;
mod witness;

pub use config::{HubConfig, OutboxLimits};
pub use counters::Stats;
pub use drain::{Drain, Flushed, SendError};
pub use encode::{Class, Encode};
pub use hub::Hub;
pub use registrar::{Delivered, Left, Registrar, SubscribeError, Subscription};
pub use session::{Session, SessionId};
pub use sink::{EndCode, Farewell, Sink, Written};
pub use witness::Witness;
