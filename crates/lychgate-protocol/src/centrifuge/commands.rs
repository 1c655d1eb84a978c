//! One WebSocket message, read as the commands in it.

use super::{Command, Encoding, Malformed, json, protobuf};

/// The commands of one message, in order.
///
/// Each is read when it is asked for, so the commands before a fault can be acted on.
/// A field or a key that occurs twice is a fault in both encodings, and so is a number that its type cannot hold.
/// The first fault is the last item.
///
/// ```
/// use lychgate_protocol::centrifuge::{Commands, Encoding, Method};
///
/// let message = b"{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"news\"}}";
/// let mut commands = Commands::new(Encoding::Json, message);
/// assert!(matches!(commands.next(), Some(Ok(command)) if matches!(command.method, Method::Connect(_))));
/// assert!(matches!(commands.next(), Some(Ok(command)) if command.id == 2));
/// assert_eq!(commands.next(), None);
/// ```
#[derive(Clone, Debug)]
pub struct Commands<'a> {
    rest: Rest<'a>,
}

/// What has not been read.
#[derive(Clone)]
enum Rest<'a> {
    Json(json::Lines<'a>),
    Protobuf(protobuf::Messages<'a>),
    Fault(Malformed),
    Nothing,
}

impl<'a> Commands<'a> {
    /// The commands of `message`, the whole payload of a text or binary message.
    ///
    /// Its length is the caller's to limit.
    pub fn new(encoding: Encoding, message: &'a [u8]) -> Self {
        // check: centrifuge-empty
        if message.is_empty() {
            return Self { rest: Rest::Fault(Malformed::Empty) };
        }
        let rest = match encoding {
            Encoding::Json => match simdutf8::compat::from_utf8(message) {
                Ok(text) => Rest::Json(json::Lines::new(text)),
                Err(error) => Rest::Fault(Malformed::NotUtf8 { at: error.valid_up_to() }),
            },
            Encoding::Protobuf => Rest::Protobuf(protobuf::Messages::new(message)),
        };
        Self { rest }
    }
}

impl<'a> Iterator for Commands<'a> {
    type Item = Result<Command<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = match &mut self.rest {
            Rest::Json(lines) => lines.next_command(),
            Rest::Protobuf(messages) => messages.next_command(),
            Rest::Fault(fault) => Some(Err(*fault)),
            Rest::Nothing => None,
        };
        if !matches!(item, Some(Ok(_))) {
            self.rest = Rest::Nothing;
        }
        item
    }
}

impl std::iter::FusedIterator for Commands<'_> {}

impl std::fmt::Debug for Rest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Json(_) => "Json",
            Self::Protobuf(_) => "Protobuf",
            Self::Fault(_) => "Fault",
            Self::Nothing => "Nothing",
        })
    }
}
