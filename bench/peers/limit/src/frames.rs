//! Client frames in, server frames out (RFC 6455 section 5.2).

/// What a client frame asks for.
pub enum Inbound {
    /// Not whole yet.
    Partial,
    /// A message was appended to the output as a server frame; so many input bytes are used.
    Message(usize),
    /// Something that needs no answer here; so many input bytes are used.
    Other(usize),
    /// The connection is over: a close frame, or bytes this server does not speak.
    End,
}

/// Reads the client frame at the start of `input` and appends it, unmasked, to `out` as a server frame.
pub fn relay(input: &[u8], out: &mut Vec<u8>) -> Inbound {
    let [first, second, rest @ ..] = input else { return Inbound::Partial };
    if second & 0x80 == 0 {
        return Inbound::End;
    }
    let (length_bytes, payload_bytes) = match second & 0x7f {
        126 => match rest.first_chunk::<2>() {
            Some(length) => (2, u64::from(u16::from_be_bytes(*length))),
            None => return Inbound::Partial,
        },
        127 => match rest.first_chunk::<8>() {
            Some(length) => (8, u64::from_be_bytes(*length)),
            None => return Inbound::Partial,
        },
        short => (0, u64::from(short)),
    };
    if payload_bytes > 1024 * 1024 {
        return Inbound::End;
    }
    let payload_at = 2 + length_bytes + 4;
    let end = payload_at + payload_bytes as usize;
    let Some(masked) = input.get(payload_at..end) else { return Inbound::Partial };
    let mask = &input[payload_at - 4..payload_at];
    match first {
        0x81 | 0x82 => {
            out.extend_from_slice(&[*first, second & 0x7f]);
            out.extend_from_slice(&input[2..2 + length_bytes]);
            out.extend(masked.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
            Inbound::Message(end)
        }
        0x89 | 0x8a => Inbound::Other(end),
        _ => Inbound::End,
    }
}
