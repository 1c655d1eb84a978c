//! What happens in a channel, as the frames of the clients that hold many of them.
//!
//! **Invariant:** a class is what a subscription was made with and keeps: the encoding, whether it is told who comes and
//! goes, and whether it takes deltas. Each publication is written once for each class that has members.
//! Who takes deltas gets a whole text first, in a class of beginners, and differences from then on: every member of a
//! class has had the same publication last.

use lychgate_hub::Class;
use lychgate_protocol::centrifuge::{ClientInfo, Data, Encoding, Publication, Push, Writer, delta};
use lychgate_protocol::channel::ChannelName;
use lychgate_protocol::json::RawJson;
use lychgate_protocol::ws::encode;
use lychgate_service::ports::broker::{Author, Framing, Happening};

/// Told apart from plain text, whose class is 0.
const CHANNELS: u8 = 0b1000_0000;
const PROTOBUF: u8 = 0b0001;
const JOIN_LEAVE: u8 = 0b0010;
const DELTAS: u8 = 0b0100;
const BEGINNER: u8 = 0b1000;

/// What a subscription is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) encoding: Encoding,
    /// Whether it is told who comes and goes.
    pub(super) join_leave: bool,
    /// Whether it takes deltas; with `true`, from the first publication on.
    pub(super) deltas: Option<bool>,
}

impl Form {
    /// Its class.
    pub(super) const fn class(self) -> Class {
        let encoding = match self.encoding {
            Encoding::Json => 0,
            Encoding::Protobuf => PROTOBUF,
        };
        let deltas = match self.deltas {
            None => 0,
            Some(true) => DELTAS,
            Some(false) => DELTAS | BEGINNER,
        };
        Class(CHANNELS | encoding | deltas | if self.join_leave { JOIN_LEAVE } else { 0 })
    }
}

const fn encoding_of(class: Class) -> Encoding {
    if class.0 & PROTOBUF == 0 { Encoding::Json } else { Encoding::Protobuf }
}

/// Every class of beginners, with the class that follows it.
const BEGINNERS: [(Class, Class); 4] = {
    const fn pair(bits: u8) -> (Class, Class) {
        (Class(CHANNELS | DELTAS | BEGINNER | bits), Class(CHANNELS | DELTAS | bits))
    }
    [pair(0), pair(PROTOBUF), pair(JOIN_LEAVE), pair(PROTOBUF | JOIN_LEAVE)]
};

/// Writes pushes.
#[derive(Clone, Copy, Debug, Default)]
pub struct ChannelFraming;

impl Framing for ChannelFraming {
    fn frame(&self, class: Class, channel: &ChannelName, happening: Happening<'_>, out: &mut Vec<u8>) {
        if class.0 & CHANNELS == 0 {
            return;
        }
        let differing = match happening {
            Happening::Published { payload, previous, .. } if class.0 & DELTAS != 0 => {
                let previous = previous.filter(|_| class.0 & BEGINNER == 0);
                Some(Differing::of(payload, previous, encoding_of(class)))
            }
            _ => None,
        };
        let push = match &happening {
            Happening::Published { payload, author, offset, epoch, tags, .. } => Push::Publication(Publication {
                data: differing.as_ref().map_or(data(payload), |differing| differing.data()),
                delta: matches!(differing, Some(Differing { is_delta: true, .. })),
                info: author.map(info),
                // A channel that keeps nothing has no positions, and clients must not think that it has.
                offset: if epoch.is_some() { *offset } else { 0 },
                epoch: epoch.as_ref().filter(|_| *offset == 1).map_or("", |epoch| epoch.as_str()),
                tags,
                ..Publication::default()
            }),
            Happening::Joined(author) if class.0 & JOIN_LEAVE != 0 => Push::Join(info(*author)),
            Happening::Left(author) if class.0 & JOIN_LEAVE != 0 => Push::Leave(info(*author)),
            Happening::Joined(_) | Happening::Left(_) => return,
        };
        let encoding = encoding_of(class);
        frame(encoding, out, |writer| {
            writer.push(channel, &push);
        });
    }

    fn beginners(&self) -> &[(Class, Class)] {
        &BEGINNERS
    }
}

/// A payload for those who take deltas: in JSON always a string, which holds the whole text or what differs.
pub(super) struct Differing {
    bytes: Vec<u8>,
    is_json: bool,
    is_delta: bool,
}

impl Differing {
    /// What is sent of `payload` to who has had `previous` last.
    pub(super) fn of(payload: &[u8], previous: Option<&[u8]>, encoding: Encoding) -> Self {
        let mut shorter = Vec::new();
        let is_shorter = previous.is_some_and(|previous| delta::encode_if_shorter(previous, payload, &mut shorter));
        let string =
            |bytes: &[u8]| delta::json_string(bytes).map(|text: RawJson<'_>| text.as_str().as_bytes().to_vec());
        match encoding {
            Encoding::Protobuf if is_shorter => Self { bytes: shorter, is_json: false, is_delta: true },
            Encoding::Protobuf => Self { bytes: payload.to_vec(), is_json: true, is_delta: false },
            // A delta may cut a character in two, and then no string can hold it.
            Encoding::Json => match string(&shorter).filter(|_| is_shorter) {
                Some(bytes) => Self { bytes, is_json: true, is_delta: true },
                None => Self { bytes: string(payload).unwrap_or_default(), is_json: true, is_delta: false },
            },
        }
    }

    pub(super) fn data(&self) -> Data<'_> {
        if self.is_json { data(&self.bytes) } else { Data::bytes_of(&self.bytes) }
    }
}

/// One WebSocket frame around what `write` writes; nothing if that is nothing.
pub(super) fn frame(encoding: Encoding, out: &mut Vec<u8>, write: impl FnOnce(&mut Writer<'_>)) {
    let mut message = Vec::new();
    write(&mut Writer::new(encoding, &mut message));
    if message.is_empty() {
        return;
    }
    if encoding.is_binary() {
        encode::binary(&message, out);
    } else {
        encode::text(&message, out);
    }
}

/// What a channel carries is JSON, whoever published it.
pub(super) fn data(payload: &[u8]) -> Data<'_> {
    std::str::from_utf8(payload).map_or(Data::bytes_of(payload), Data::json_trusted)
}

pub(super) fn info(author: Author<'_>) -> ClientInfo<'_> {
    ClientInfo {
        user: author.user,
        client: author.client,
        conn_info: author.connection_info.map_or(Data::ABSENT, Data::json_trusted),
        chan_info: author.channel_info.map_or(Data::ABSENT, Data::json_trusted),
    }
}
