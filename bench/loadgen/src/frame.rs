//! Frames as they lie in a read buffer, and frames as a client sends them (RFC 6455 section 5.2).
//!
//! **Invariant:** parsing copies nothing; a frame borrows the bytes it was read into.
//!
//! **Absent on purpose:** fragmented messages.
//! No server under test fragments, so a continuation frame is a fault and ends the run instead of hiding in a count.

/// The largest payload that a run accepts from a server.
pub const PAYLOAD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text or binary message.
    Message,
    /// A close frame.
    Close,
    /// A ping.
    Ping,
    /// A pong.
    Pong,
}

/// One whole frame inside a buffer.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it carries.
    pub kind: Kind,
    /// Its payload.
    pub payload: &'a [u8],
    /// Header and payload together, in bytes.
    pub bytes: usize,
}

/// Bytes that no correct server sends.
pub type Fault = &'static str;

/// Parses the frame at the start of `input`, or returns `None` when it is not whole yet.
///
/// # Errors
///
/// Returns what is wrong with the header: a mask, reserved bits, a fragment or a payload beyond [`PAYLOAD_BYTES_MAX`].
pub fn parse(input: &[u8]) -> Result<Option<Frame<'_>>, Fault> {
    let [first, second, rest @ ..] = input else { return Ok(None) };
    let kind = match first {
        0x81 | 0x82 => Kind::Message,
        0x88 => Kind::Close,
        0x89 => Kind::Ping,
        0x8a => Kind::Pong,
        0x80 | 0x00..=0x02 => return Err("a fragmented message"),
        _ => return Err("reserved bits or an unknown opcode"),
    };
    let (header_bytes, payload_bytes) = match second {
        0x80.. => return Err("a masked frame from a server"),
        126 => match rest.first_chunk::<2>() {
            Some(length) => (4, usize::from(u16::from_be_bytes(*length))),
            None => return Ok(None),
        },
        127 => match rest.first_chunk::<8>() {
            Some(length) => (10, usize::try_from(u64::from_be_bytes(*length)).unwrap_or(usize::MAX)),
            None => return Ok(None),
        },
        short => (2, usize::from(*short)),
    };
    if payload_bytes > PAYLOAD_BYTES_MAX {
        return Err("a payload beyond the limit");
    }
    let bytes = header_bytes + payload_bytes;
    Ok(input.get(header_bytes..bytes).map(|payload| Frame { kind, payload, bytes }))
}

/// The mask of every frame that is sent.
///
/// A constant is enough on loopback; it is not zero, so that the server's unmasking is real.
const MASK: [u8; 4] = [0x5a, 0xc3, 0x1e, 0x97];

/// Appends a masked text frame.
pub fn append_text(payload: &[u8], out: &mut Vec<u8>) {
    append(0x81, payload, out);
}

/// Appends a masked pong that answers a ping's `payload`.
pub fn append_pong(payload: &[u8], out: &mut Vec<u8>) {
    append(0x8a, payload, out);
}

fn append(first: u8, payload: &[u8], out: &mut Vec<u8>) {
    out.push(first);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short @ 0..=125), _) => out.push(0x80 | short),
        (_, Ok(medium)) => {
            out.push(0x80 | 126);
            out.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_found_at_each_length_form_and_cut() {
        for length in [0_usize, 1, 125, 126, 65_535, 65_536] {
            let mut bytes = vec![0x81];
            match length {
                0..=125 => bytes.push(length as u8),
                126..=65_535 => {
                    bytes.push(126);
                    bytes.extend_from_slice(&(length as u16).to_be_bytes());
                }
                _ => {
                    bytes.push(127);
                    bytes.extend_from_slice(&(length as u64).to_be_bytes());
                }
            }
            bytes.resize(bytes.len() + length, b'x');
            for cut in [0, 1, 2, 3, bytes.len() - 1] {
                if cut < bytes.len() {
                    assert_eq!(parse(&bytes[..cut]), Ok(None), "length {length} cut at {cut}");
                }
            }
            let whole = bytes.len();
            bytes.push(0x81);
            let frame = parse(&bytes).expect("a valid frame").expect("a whole frame");
            assert_eq!((frame.kind, frame.payload.len(), frame.bytes), (Kind::Message, length, whole));
        }
    }

    #[test]
    fn what_no_server_may_send_is_a_fault() {
        for header in [[0x81, 0x80], [0x01, 0x01], [0x80, 0x01], [0xc1, 0x01], [0x83, 0x01]] {
            assert!(parse(&header).is_err(), "{header:02x?}");
        }
        let mut huge = vec![0x82, 127];
        huge.extend_from_slice(&u64::MAX.to_be_bytes());
        assert!(parse(&huge).is_err());
    }

    #[test]
    fn sent_frames_are_masked() {
        let mut out = Vec::new();
        append_text(b"hello", &mut out);
        assert_eq!(out[..2], [0x81, 0x85]);
        let plain: Vec<u8> = out[6..].iter().zip(out[2..6].iter().cycle()).map(|(a, b)| a ^ b).collect();
        assert_eq!(plain, b"hello");
        assert_ne!(&out[6..], b"hello");
    }
}
