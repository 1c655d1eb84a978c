//! What we write, and that a decoder of the other role reads it back.

use lychgate_protocol::ws::Role::{Client, Server};
use lychgate_protocol::ws::{CloseCode, DecoderLimits, encode};

use crate::support::{End, Frame, MASK, Outcome, Said, decode_chunks};

const LIMITS: DecoderLimits = DecoderLimits { message_bytes_max: 1 << 20, fragments_max: 0 };

#[test]
fn a_frame_is_appended_byte_for_byte() {
    for bytes in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
        let payload = vec![b'x'; bytes];
        let (mut out, mut masked) = (b"before".to_vec(), b"before".to_vec());
        encode::text(&payload, &mut out);
        encode::masked::text(&payload, MASK, &mut masked);
        encode::binary(&payload, &mut out);
        encode::masked::binary(&payload, MASK, &mut masked);
        let frames = [Frame::text(&payload), Frame::binary(&payload)];
        let expected = |role| [b"before".to_vec(), frames[0].bytes(role), frames[1].bytes(role)].concat();
        assert!(out == expected(Client), "{bytes} bytes");
        assert!(masked == expected(Server), "{bytes} bytes, masked");
        let said = vec![Said::Text("x".repeat(bytes)), Said::Binary(payload)];
        let outcome = Outcome { said, end: End::Whole };
        assert_eq!(decode_chunks(Client, LIMITS, [&out[6..]]), outcome);
        assert_eq!(decode_chunks(Server, LIMITS, [&masked[6..]]), outcome);
    }
}

#[test]
fn control_frames_hold_at_most_125_bytes() {
    for (bytes, kept) in [(0, 0), (1, 1), (125, 125), (126, 125), (70_000, 125)] {
        let (payload, kept) = (vec![1; bytes], vec![1; kept]);
        let (mut out, mut masked) = (Vec::new(), Vec::new());
        encode::ping(&payload, &mut out);
        encode::pong(&payload, &mut out);
        encode::masked::ping(&payload, MASK, &mut masked);
        encode::masked::pong(&payload, MASK, &mut masked);
        let outcome = Outcome { said: vec![Said::Ping(kept.clone()), Said::Pong(kept)], end: End::Whole };
        assert_eq!(decode_chunks(Client, LIMITS, [&out[..]]), outcome);
        assert_eq!(decode_chunks(Server, LIMITS, [&masked[..]]), outcome);
    }
}

#[test]
fn a_close_frame_keeps_what_fits() {
    let long = "x".repeat(200);
    // 41 times three bytes are 123; one ASCII character before them pushes the last one out.
    let (euros, shifted) = ("€".repeat(42), format!("x{}", "€".repeat(42)));
    let table = [
        (1000, "", Some((1000, ""))),
        (3008, "slow", Some((3008, "slow"))),
        (1001, &long, Some((1001, &long[..123]))),
        (1001, &euros, Some((1001, &euros[..123]))),
        (1001, &shifted, Some((1001, &shifted[..121]))),
        (4999, "Grüße", Some((4999, "Grüße"))),
        (1005, "never", None),
        (1006, "never", None),
        (1015, "never", None),
        (999, "never", None),
        (5000, "never", None),
    ];
    for (code, reason, read) in table {
        let (mut out, mut masked) = (Vec::new(), Vec::new());
        encode::close(CloseCode(code), reason, &mut out);
        encode::masked::close(CloseCode(code), reason, MASK, &mut masked);
        let said = vec![Said::Close(read.map(|(code, reason)| (code, reason.to_owned())))];
        let outcome = Outcome { said, end: End::Whole };
        assert_eq!(decode_chunks(Client, LIMITS, [&out[..]]), outcome, "{code}");
        assert_eq!(decode_chunks(Server, LIMITS, [&masked[..]]), outcome, "{code}, masked");
    }
}
