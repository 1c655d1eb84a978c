//! Our own frames, as a body carries what is in them.
//!
//! **Invariant:** whole frames are taken or none, so every piece of the body begins and ends with a message, and nothing
//! has to be remembered between two calls.
//!
//! **Absent on purpose:** the rules of RFC 6455. These frames were written here a moment ago: they are not masked and
//! not in fragments.

use std::borrow::Cow;
use std::io::IoSlice;

use lychgate_protocol::centrifuge::{Encoding, Push, Writer};
use lychgate_protocol::ws::CloseCode;

use super::Transport;

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// In what a message is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// JSON: a newline behind each object.
    Lines,
    /// Protobuf: each message has its length in front already.
    Messages,
    /// JSON: an event for each object.
    Events,
}

impl Form {
    pub(super) const fn of(transport: Transport, encoding: Encoding) -> Self {
        match (transport, encoding) {
            (Transport::Sse, _) => Self::Events,
            (Transport::HttpStream, Encoding::Json) => Self::Lines,
            (Transport::HttpStream, Encoding::Protobuf) => Self::Messages,
        }
    }

    const fn encoding(self) -> Encoding {
        match self {
            Self::Lines | Self::Events => Encoding::Json,
            Self::Messages => Encoding::Protobuf,
        }
    }

    fn wrap(self, message: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Lines => {
                out.extend_from_slice(message);
                out.push(b'\n');
            }
            Self::Messages => out.extend_from_slice(message),
            Self::Events => {
                for object in message.split(|byte| *byte == b'\n') {
                    out.extend_from_slice(b"data: ");
                    // A carriage return ends a line here. In JSON it stands between tokens alone, like a space.
                    out.extend(object.iter().map(|byte| if *byte == b'\r' { b' ' } else { *byte }));
                    out.extend_from_slice(b"\n\n");
                }
            }
        }
    }
}

/// How far [`unwrap`] came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Unwrapped {
    /// Bytes of the slices that are done with: so many whole frames.
    pub(super) taken: usize,
    /// The last of them was a close frame.
    pub(super) has_ended: bool,
}

/// The bytes are no frames of ours, or the first one is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotOurs;

/// Appends what is in the frames to `out`, as long as that holds no more than `bytes_max`; the first message of all may
/// be longer. A ping or pong of WebSocket says nothing here. A close frame becomes the push that says the same.
pub(super) fn unwrap(
    slices: &[IoSlice<'_>],
    form: Form,
    bytes_max: usize,
    out: &mut Vec<u8>,
) -> Result<Unwrapped, NotOurs> {
    let mut rope = Rope { slices, offset: 0 };
    let mut unwrapped = Unwrapped::default();
    while let Some((first, payload, frame_bytes)) = rope.frame() {
        match first {
            TEXT | BINARY if !out.is_empty() && out.len() + payload.len() > bytes_max => break,
            TEXT | BINARY => form.wrap(&payload, out),
            CLOSE => {
                say_goodbye(&payload, form, out);
                unwrapped.has_ended = true;
            }
            PING | PONG => {}
            _ => return Err(NotOurs),
        }
        unwrapped.taken += frame_bytes;
        if unwrapped.has_ended {
            break;
        }
    }
    if unwrapped.taken == 0 && out.is_empty() && slices.iter().any(|slice| !slice.is_empty()) {
        return Err(NotOurs);
    }
    Ok(unwrapped)
}

fn say_goodbye(payload: &[u8], form: Form, out: &mut Vec<u8>) {
    let (code, reason) = match payload.split_first_chunk() {
        Some((code, reason)) => (CloseCode(u16::from_be_bytes(*code)), std::str::from_utf8(reason).unwrap_or_default()),
        None => (CloseCode::NO_STATUS, ""),
    };
    let mut message = Vec::new();
    Writer::new(form.encoding(), &mut message).push("", &Push::Disconnect { code: code.0.into(), reason });
    form.wrap(&message, out);
}

/// Slices as if they were one.
struct Rope<'s, 'b> {
    slices: &'s [IoSlice<'b>],
    /// Bytes of the first slice that are done with.
    offset: usize,
}

impl<'s> Rope<'s, '_> {
    /// The next frame, if it is whole: its first byte, what is in it, and its length.
    fn frame(&mut self) -> Option<(u8, Cow<'s, [u8]>, usize)> {
        let (slices, offset) = (self.slices, self.offset);
        let whole = self.try_frame();
        if whole.is_none() {
            (self.slices, self.offset) = (slices, offset);
        }
        whole
    }

    fn try_frame(&mut self) -> Option<(u8, Cow<'s, [u8]>, usize)> {
        let [first, short] = self.array()?;
        let (length, header_bytes) = match short {
            127 => (usize::try_from(u64::from_be_bytes(self.array()?)).ok()?, 10),
            126 => (usize::from(u16::from_be_bytes(self.array()?)), 4),
            short => (usize::from(short), 2),
        };
        Some((first, self.take(length)?, header_bytes + length))
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.as_ref().try_into().ok()
    }

    /// The next bytes: from where they lie, unless a cut goes through them.
    fn take(&mut self, count: usize) -> Option<Cow<'s, [u8]>> {
        let slices = self.slices;
        if let Some(first) = slices.first()
            && let Some(bytes) = first.get(self.offset..).and_then(|rest| rest.get(..count))
        {
            self.offset += count;
            return Some(Cow::Borrowed(bytes));
        }
        let left: usize = slices.iter().map(|slice| slice.len()).sum::<usize>().checked_sub(self.offset)?;
        if left < count {
            return None;
        }
        let mut bytes = Vec::with_capacity(count);
        while bytes.len() < count {
            let (first, rest) = self.slices.split_first()?;
            let here = first.get(self.offset..)?;
            let part = here.len().min(count - bytes.len());
            bytes.extend_from_slice(here.get(..part)?);
            self.offset += part;
            if self.offset == first.len() && bytes.len() < count {
                (self.slices, self.offset) = (rest, 0);
            }
        }
        Some(Cow::Owned(bytes))
    }
}

#[cfg(test)]
mod tests {
    use lychgate_protocol::ws::encode;
    use rand::rngs::StdRng;
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;

    fn slices<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<IoSlice<'a>> {
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
        ends.extend([0, bytes.len()]);
        ends.sort_unstable();
        ends.windows(2).map(|pair| IoSlice::new(&bytes[pair[0]..pair[1]])).collect()
    }

    fn all(form: Form, bytes: &[u8]) -> (String, Unwrapped) {
        let mut out = Vec::new();
        let unwrapped = unwrap(&slices(bytes, &[]), form, usize::MAX, &mut out).unwrap();
        (String::from_utf8_lossy(&out).into_owned(), unwrapped)
    }

    #[test]
    fn each_form_wraps_in_its_own_way() {
        let mut bytes = Vec::new();
        encode::text(b"{\"id\":1}\n{\r\"id\":2}", &mut bytes);
        encode::ping(b"who", &mut bytes);
        encode::text(b"{}", &mut bytes);
        let open = Unwrapped { taken: bytes.len(), has_ended: false };
        assert_eq!(all(Form::Lines, &bytes), ("{\"id\":1}\n{\r\"id\":2}\n{}\n".to_owned(), open));
        let events = "data: {\"id\":1}\n\ndata: { \"id\":2}\n\ndata: {}\n\n";
        assert_eq!(all(Form::Events, &bytes), (events.to_owned(), open));
        let mut bytes = Vec::new();
        encode::binary(b"\x02\x08\x01", &mut bytes);
        encode::pong(b"here", &mut bytes);
        encode::binary(b"\0", &mut bytes);
        assert_eq!(all(Form::Messages, &bytes).0, "\x02\x08\x01\0");
    }

    #[test]
    fn a_close_frame_becomes_a_push_and_nothing_follows_it() {
        let mut bytes = Vec::new();
        encode::close(CloseCode(3005), "over", &mut bytes);
        let ended = Unwrapped { taken: bytes.len(), has_ended: true };
        encode::text(b"{}", &mut bytes);
        let push = r#"{"push":{"disconnect":{"code":3005,"reason":"over"}}}"#;
        assert_eq!(all(Form::Lines, &bytes), (format!("{push}\n"), ended));
        assert_eq!(all(Form::Events, &bytes), (format!("data: {push}\n\n"), ended));
        let (said, unwrapped) = all(Form::Messages, &bytes);
        assert_eq!((said.as_bytes(), unwrapped), (&b"\x0d\x22\x0b\x5a\x09\x08\xef\xbf\xbd\x17\x12\x04over"[..], ended));
        let mut empty = Vec::new();
        encode::close(CloseCode::NO_STATUS, "", &mut empty);
        assert!(all(Form::Lines, &empty).0.contains("\"code\":1005"));
    }

    #[test]
    fn what_is_not_whole_or_not_ours_is_refused_and_never_waited_for() {
        let mut bytes = Vec::new();
        encode::text(b"{}", &mut bytes);
        for bad in [&bytes[..3], &bytes[..1], b"\x01\x01a", b"\x83\x00", b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff"] {
            let mut out = Vec::new();
            assert_eq!(unwrap(&slices(bad, &[]), Form::Lines, 100, &mut out), Err(NotOurs), "{bad:?}");
            assert_eq!(out, b"");
        }
        assert_eq!(unwrap(&[], Form::Lines, 100, &mut Vec::new()), Ok(Unwrapped::default()));
    }

    /// Whichever way the bytes are cut into slices and however little is taken at once, the same comes out.
    #[test]
    fn cuts_make_no_difference() {
        let seed: u64 = rand::random();
        println!("seed {seed}");
        let mut random = StdRng::seed_from_u64(seed);
        for form in [Form::Lines, Form::Events, Form::Messages] {
            for _ in 0..60 {
                let mut bytes = Vec::new();
                for _ in 0..random.random_range(1..20) {
                    let length = [0, 1, 125, 126, 300, 70_000][random.random_range(0..6)];
                    let payload = vec![random.random_range(b' '..b'~'); length];
                    match random.random_range(0..4) {
                        0 => encode::ping(&payload, &mut bytes),
                        1 => encode::binary(&payload, &mut bytes),
                        _ => encode::text(&payload, &mut bytes),
                    }
                }
                encode::close(CloseCode(3001), "shutdown", &mut bytes);
                let (whole, _) = all(form, &bytes);
                let (mut at, mut said, mut has_ended) = (0, Vec::new(), false);
                while !has_ended {
                    let rest = &bytes[at..];
                    let cuts: Vec<usize> =
                        (0..random.random_range(0..8)).map(|_| random.random_range(0..200_000)).collect();
                    let mut piece = Vec::new();
                    let bytes_max = [1, 64, 4096, 1 << 20][random.random_range(0..4)];
                    let unwrapped = unwrap(&slices(rest, &cuts), form, bytes_max, &mut piece).unwrap();
                    assert!(unwrapped.taken > 0, "it would wait for ever");
                    at += unwrapped.taken;
                    has_ended = unwrapped.has_ended;
                    said.extend(piece);
                }
                assert_eq!((at, String::from_utf8_lossy(&said)), (bytes.len(), whole.as_str().into()));
            }
        }
    }
}
