//! How a connection has ended, as the application is told.
//!
//! **Invariant:** the first end counts. What follows from it, such as the peer's answer to our close frame, is no other.

use std::sync::atomic::{AtomicU32, Ordering};

use lychgate_protocol::ws::CloseCode;
use lychgate_service::events::Ended;

use crate::ws::profile::{Event, Profile};

/// How one connection has ended, or that it has not.
#[derive(Default)]
pub struct Ending(AtomicU32);

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// An event of the profile, which has a code for it.
    Event(Event),
    /// The client has said goodbye with this code.
    Client(CloseCode),
    /// The client does not keep to the protocol.
    Protocol(CloseCode),
    /// The application wanted it.
    Application(CloseCode),
}

const CLIENT: u32 = 1;
const PROTOCOL: u32 = 2;
const APPLICATION: u32 = 3;
/// The first event.
const EVENTS: u32 = 16;

impl Ending {
    /// Notes why it ends, unless it ends already.
    pub fn because(&self, why: Why) {
        let (kind, code) = match why {
            Why::Event(event) => (EVENTS + event as u32, 0),
            Why::Client(code) => (CLIENT, code.0),
            Why::Protocol(code) => (PROTOCOL, code.0),
            Why::Application(code) => (APPLICATION, code.0),
        };
        let _ = self.0.compare_exchange(0, kind << 16 | u32::from(code), Ordering::AcqRel, Ordering::Acquire);
    }

    /// How it has ended: as noted, or without a word.
    #[must_use]
    pub fn ended(&self, profile: &Profile) -> Ended {
        let noted = self.0.load(Ordering::Acquire);
        let code = (noted & 0xffff) as u16;
        match noted >> 16 {
            0 => Ended::BROKEN,
            CLIENT => Ended { code, reason: "client" },
            PROTOCOL => Ended { code, reason: "protocol" },
            APPLICATION => Ended { code, reason: "application" },
            kind => {
                let event = Event::ALL.get((kind - EVENTS) as usize).copied().unwrap_or(Event::Error);
                Ended { code: profile.close(event).0.0, reason: event.name() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::profile::RefuseBy;

    #[test]
    fn every_end_is_told_as_it_was_noted_and_the_first_counts() {
        let code = |event: Event| CloseCode(4000 + event as u16);
        let profile = Profile::new(RefuseBy::Close, |event| (code(event), "some text".to_owned()));
        assert_eq!(Ending::default().ended(&profile), Ended::BROKEN);
        let own = [
            (Why::Client(CloseCode(1001)), Ended { code: 1001, reason: "client" }),
            (Why::Protocol(CloseCode(3501)), Ended { code: 3501, reason: "protocol" }),
            (Why::Application(CloseCode(4999)), Ended { code: 4999, reason: "application" }),
        ];
        let events = Event::ALL.map(|event| (Why::Event(event), Ended { code: code(event).0, reason: event.name() }));
        for (why, ended) in own.into_iter().chain(events) {
            let ending = Ending::default();
            ending.because(why);
            ending.because(Why::Client(CloseCode(1000)));
            assert_eq!(ending.ended(&profile), ended, "{why:?}");
        }
    }
}
