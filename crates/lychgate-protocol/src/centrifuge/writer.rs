//! Replies and pushes, written one behind the other into one WebSocket message.

use super::{Encoding, Push, Reply, json, protobuf};

/// Appends replies and pushes to a buffer; what it wrote is the payload of one message, or a part of one.
///
/// ```
/// use lychgate_protocol::centrifuge::{Encoding, Reply, Writer};
///
/// let mut message = Vec::new();
/// let mut writer = Writer::new(Encoding::Json, &mut message);
/// writer.reply(1, &Reply::Publish);
/// writer.reply(2, &Reply::PresenceStats { num_clients: 0, num_users: 0 });
/// assert_eq!(
///     message,
///     b"{\"id\":1,\"publish\":{}}\n{\"id\":2,\"presence_stats\":{\"num_clients\":0,\"num_users\":0}}",
/// );
/// ```
#[derive(Debug)]
pub struct Writer<'o> {
    encoding: Encoding,
    out: &'o mut Vec<u8>,
    start: usize,
}

impl<'o> Writer<'o> {
    /// Begins a message at the end of `out`; what is there already stays.
    pub fn new(encoding: Encoding, out: &'o mut Vec<u8>) -> Self {
        let start = out.len();
        Self { encoding, out, start }
    }

    /// Goes on with a message that is the whole of `out`.
    pub const fn resume(encoding: Encoding, out: &'o mut Vec<u8>) -> Self {
        Self { encoding, out, start: 0 }
    }

    /// The answer to the command `id`.
    pub fn reply(&mut self, id: u32, reply: &Reply<'_>) -> &mut Self {
        self.separate();
        match self.encoding {
            Encoding::Json => json::reply(id, reply, self.out),
            Encoding::Protobuf => protobuf::reply(id, reply, self.out),
        }
        self
    }

    /// Something that answers nothing; `channel` is empty for what concerns the connection.
    pub fn push(&mut self, channel: &str, push: &Push<'_>) -> &mut Self {
        self.separate();
        match self.encoding {
            Encoding::Json => json::push(channel, push, self.out),
            Encoding::Protobuf => protobuf::push(channel, push, self.out),
        }
        self
    }

    /// A ping: a reply with nothing in it.
    pub fn ping(&mut self) -> &mut Self {
        self.separate();
        self.out.extend_from_slice(match self.encoding {
            Encoding::Json => b"{}",
            Encoding::Protobuf => b"\0",
        });
        self
    }

    /// What another writer of the same encoding wrote.
    pub fn written(&mut self, message: &[u8]) -> &mut Self {
        if !message.is_empty() {
            self.separate();
            self.out.extend_from_slice(message);
        }
        self
    }

    /// Whether nothing is written yet.
    pub fn is_empty(&self) -> bool {
        self.out.len() == self.start
    }

    /// A newline ends a JSON object; a Protobuf message has its length in front.
    fn separate(&mut self) {
        if self.encoding == Encoding::Json && !self.is_empty() {
            self.out.push(b'\n');
        }
    }
}
