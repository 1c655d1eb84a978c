//! Byte sequences that are no UTF-8, each with the byte at which that is certain (RFC 3629; RFC 6455 §8.1).

use lychgate_protocol::ws::Role::Server;
use lychgate_protocol::ws::{DecoderLimits, Violation};

use crate::support::{End, Frame, Said, decode_chunks, decode_in_every_cut, stream};

const LIMITS: DecoderLimits = DecoderLimits { message_bytes_max: 4_096, fragments_max: 64 };

/// Name, sequence, offset of the first byte after which nothing can make it UTF-8.
const BAD: &[(&str, &[u8], usize)] = &[
    ("a lone continuation byte", b"\x80", 0),
    ("the last continuation byte", b"\xbf", 0),
    ("a continuation byte after ASCII", b"ab\x80", 2),
    ("overlong slash in two", b"\xc0\xaf", 0),
    ("overlong NUL in two", b"\xc0\x80", 0),
    ("overlong DEL in two", b"\xc1\xbf", 0),
    ("overlong slash in three", b"\xe0\x80\xaf", 1),
    ("the last overlong in three", b"\xe0\x9f\xbf", 1),
    ("overlong slash in four", b"\xf0\x80\x80\xaf", 1),
    ("the last overlong in four", b"\xf0\x8f\xbf\xbf", 1),
    ("the first surrogate", b"\xed\xa0\x80", 1),
    ("the last surrogate", b"\xed\xbf\xbf", 1),
    ("a pair of surrogates", b"\xed\xa0\x80\xed\xb0\x80", 1),
    ("beyond U+10FFFF", b"\xf4\x90\x80\x80", 1),
    ("F5", b"\xf5\x80\x80\x80", 0),
    ("five bytes", b"\xf8\x88\x80\x80\x80", 0),
    ("six bytes", b"\xfc\x84\x80\x80\x80\x80", 0),
    ("FE", b"\xfe", 0),
    ("FF", b"\xff", 0),
    ("two bytes, then ASCII", b"\xc3a", 1),
    ("three bytes, then ASCII", b"\xe2\x82a", 2),
    ("three bytes, ASCII at once", b"\xe2a", 1),
    ("four bytes, then ASCII", b"\xf0\x9f\x91a", 3),
    ("four bytes, ASCII in the middle", b"\xf0\x9fa", 2),
    ("a lead byte inside a character", b"\xe2\xe2\x82\xac", 1),
    ("good text, then bad", "κόσμε\u{10ffff}€".as_bytes(), usize::MAX),
    (
        "bad after a long run of ASCII",
        b"0123456789012345678901234567890123456789012345678901234567890123456789\xff",
        70,
    ),
    ("bad after a long run beyond ASCII", "ééééééééééééééééééééééééééééééééééééé\u{0}".as_bytes(), usize::MAX),
];

fn bad() -> impl Iterator<Item = (String, Vec<u8>, usize)> {
    BAD.iter().map(|&(name, bytes, at)| {
        let mut bytes = bytes.to_vec();
        let at = at.min(bytes.len());
        if at == bytes.len() {
            bytes.push(0xff);
        }
        (name.to_owned(), bytes, at)
    })
}

#[test]
fn std_agrees_about_the_table() {
    for (name, bytes, at) in bad() {
        assert!(std::str::from_utf8(&bytes[..=at]).is_err_and(|error| error.error_len().is_some()), "{name}");
        let before = std::str::from_utf8(&bytes[..at]);
        assert!(before.is_ok() || before.is_err_and(|error| error.error_len().is_none()), "{name}");
    }
}

#[test]
fn a_whole_text_is_refused() {
    for (name, bytes, at) in bad() {
        let outcome = decode_in_every_cut(Server, LIMITS, &Frame::text(&bytes).bytes(Server));
        assert_eq!(outcome.end, End::Refused(Violation::TextNotUtf8), "{name}");
        let good = &bytes[..std::str::from_utf8(&bytes[..at]).map_or_else(|error| error.valid_up_to(), str::len)];
        let outcome = decode_in_every_cut(Server, LIMITS, &Frame::text(good).bytes(Server));
        assert_eq!(outcome.end, End::Whole, "{name}: what stands before it is good");
    }
}

#[test]
fn the_bad_byte_is_refused_when_it_arrives_and_not_before() {
    for (name, bytes, at) in bad() {
        let frame = Frame::text(&bytes).claims(200).bytes(Server);
        let header_bytes = frame.len() - bytes.len();
        for cut in 0..=frame.len() {
            let one_by_one = decode_chunks(Server, LIMITS, frame[..cut].chunks(1));
            let at_once = decode_chunks(Server, LIMITS, [&frame[..cut]]);
            assert_eq!(one_by_one, at_once, "{name}, {cut} bytes");
            let is_refused = at_once.end == End::Refused(Violation::TextNotUtf8);
            assert_eq!(is_refused, cut > header_bytes + at, "{name}: after {cut} of {} bytes", frame.len());
        }
    }
}

#[test]
fn fragments_of_one_byte_change_nothing() {
    for (name, bytes, at) in bad() {
        let fragments = |bytes: &[u8]| {
            let mut frames: Vec<_> = bytes.iter().map(|byte| Frame::continuation([*byte]).more()).collect();
            frames.insert(0, Frame::text("").more());
            frames
        };
        let limits = DecoderLimits { fragments_max: 100, ..LIMITS };
        let before = decode_chunks(Server, limits, [&stream(Server, &fragments(&bytes[..at]))[..]]);
        assert_eq!(before.end, End::Mid, "{name}: still possible");
        let with = decode_chunks(Server, limits, [&stream(Server, &fragments(&bytes[..=at]))[..]]);
        assert_eq!(with.end, End::Refused(Violation::TextNotUtf8), "{name}: certain");
    }
}

#[test]
fn a_close_reason_is_refused() {
    for (name, bytes, _) in bad() {
        let outcome = decode_in_every_cut(Server, LIMITS, &Frame::close(1000, &bytes).bytes(Server));
        assert_eq!(outcome.end, End::Refused(Violation::CloseReasonNotUtf8), "{name}");
    }
}

#[test]
fn every_character_survives_every_cut() {
    // The edges of each length of UTF-8, of the surrogates' gap and of planes.
    let edges = [
        0x0, 0x7f, 0x80, 0x7ff, 0x800, 0xfff, 0x1000, 0xcfff, 0xd000, 0xd7ff, 0xe000, 0xfffd, 0xffff, 0x10000, 0x3ffff,
        0x40000, 0xfffff, 0x10_0000, 0x10_ffff,
    ];
    let text: String = edges.into_iter().filter_map(char::from_u32).collect();
    let outcome = decode_in_every_cut(Server, LIMITS, &Frame::text(&text).bytes(Server));
    assert_eq!(outcome.said, [Said::Text(text.clone())]);
    for cut in 0..=text.len() {
        let (head, tail) = text.as_bytes().split_at(cut);
        let frames = [Frame::text(head).more(), Frame::continuation(tail)];
        let outcome = decode_chunks(Server, LIMITS, stream(Server, &frames).chunks(1));
        assert_eq!(outcome.said, [Said::Text(text.clone())], "cut after byte {cut}");
    }
}
