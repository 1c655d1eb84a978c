//! What a connection says beside its handshake: nothing, or the commands that enter a channel.
//!
//! The second form is the Centrifuge client protocol in JSON, as far as a run needs it: connect and subscribe in one
//! message, publish, and the answer to a ping.

use std::sync::Arc;

use memchr::memmem;

use crate::frame;

/// How connections speak.
#[derive(Clone, Default)]
pub enum Speech {
    /// Messages go to the endpoint as they are.
    #[default]
    Plain,
    /// Each connection subscribes to this channel and publishes there.
    Channel(Arc<str>),
}

/// The server's ping, and the answer to it.
const PING: &[u8] = b"{}";

impl Speech {
    /// Speaks to `channel`, if there is one.
    pub fn to(channel: Option<&str>) -> Self {
        channel.map_or(Self::Plain, |channel| Self::Channel(channel.into()))
    }

    /// The frame that opens a session, if one has to be opened.
    pub fn greeting(&self) -> Option<Vec<u8>> {
        let Self::Channel(channel) = self else { return None };
        let commands = format!("{{\"id\":1,\"connect\":{{}}}}\n{{\"id\":2,\"subscribe\":{{\"channel\":\"{channel}\"}}}}");
        let mut out = Vec::new();
        frame::append_text(commands.as_bytes(), &mut out);
        Some(out)
    }

    /// Whether this message says that the session is open and the channel entered.
    pub fn is_greeted(&self, payload: &[u8]) -> bool {
        memmem::find(payload, br#"{"id":2,"subscribe":"#).is_some()
    }

    /// The frame that answers this message of the server, if it asks for one.
    pub fn answer(&self, payload: &[u8]) -> Option<Vec<u8>> {
        if matches!(self, Self::Plain) || payload != PING {
            return None;
        }
        let mut out = Vec::new();
        frame::append_text(PING, &mut out);
        Some(out)
    }

    /// Appends the frame that publishes `payload`.
    pub fn publish(&self, payload: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Plain => frame::append_text(payload, out),
            Self::Channel(channel) => {
                let head = format!("{{\"id\":3,\"publish\":{{\"channel\":\"{channel}\",\"data\":");
                frame::append_text(&[head.as_bytes(), payload, b"}}"].concat(), out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_opened_once_the_channel_is_entered() {
        let speech = Speech::to(Some("bench"));
        assert!(speech.greeting().is_some() && Speech::Plain.greeting().is_none());
        assert!(!speech.is_greeted(br#"{"id":1,"connect":{"client":"x"}}"#));
        assert!(speech.is_greeted(b"{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{}}"));
        assert!(!speech.is_greeted(br#"{"id":2,"error":{"code":103}}"#));
        assert!(speech.answer(b"{}").is_some() && speech.answer(b"{ }").is_none() && Speech::Plain.answer(b"{}").is_none());
    }
}
