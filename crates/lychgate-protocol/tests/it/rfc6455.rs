//! Our table of RFC 6455 cases, named by section.
//!
//! Each case is decoded in one chunk, byte by byte and cut at every byte; what was said and how it ended must be the
//! same each time. Refusals stand next to the nearest stream that is accepted.

use lychgate_protocol::ws::Role::{Client, Server};
use lychgate_protocol::ws::{DecoderLimits, Role, Violation};

use crate::support::{End, Frame, Outcome, Said, decode_in_every_cut, stream};

/// Large enough for every case but those that are about limits.
const LIMITS: DecoderLimits = DecoderLimits { message_bytes_max: 1 << 20, fragments_max: 64 };

struct Case {
    section: &'static str,
    name: String,
    role: Role,
    limits: DecoderLimits,
    bytes: Vec<u8>,
    said: Vec<Said>,
    end: End,
}

#[test]
fn every_case_gives_its_outcome_however_it_is_cut() {
    let cases = cases();
    assert!(cases.len() >= 120, "{} cases", cases.len());
    let mut failed = Vec::new();
    for case in &cases {
        let Case { section, name, role, limits, bytes, said, end } = case;
        let expected = Outcome { said: said.clone(), end: *end };
        let outcome = std::panic::catch_unwind(|| decode_in_every_cut(*role, *limits, bytes));
        match outcome {
            Ok(outcome) if outcome == expected => {}
            Ok(outcome) => failed.push(format!("{section} {name}: {outcome:?} instead of {expected:?}")),
            Err(_) => failed.push(format!("{section} {name}: the cuts disagree")),
        }
    }
    assert!(failed.is_empty(), "{} of {} cases:\n{}", failed.len(), cases.len(), failed.join("\n"));
}

fn cases() -> Vec<Case> {
    let mut table = Table(Vec::new());
    table.masking();
    table.framing();
    table.lengths();
    table.fragmentation();
    table.control_frames();
    table.close();
    table.limits();
    table.text();
    table.0
}

struct Table(Vec<Case>);

impl Table {
    fn add(&mut self, section: &'static str, name: impl Into<String>, role: Role, bytes: Vec<u8>) -> &mut Case {
        let name = name.into();
        self.0.push(Case { section, name, role, limits: LIMITS, bytes, said: Vec::new(), end: End::Whole });
        self.0.last_mut().expect("just pushed")
    }

    fn case(&mut self, section: &'static str, name: impl Into<String>, frames: &[Frame]) -> &mut Case {
        self.add(section, name, Server, stream(Server, frames))
    }

    /// A case for messages of at most ten bytes in at most three frames.
    fn limited(&mut self, name: &str, frames: &[Frame]) -> &mut Case {
        let case = self.case("10.4", name, frames);
        case.limits = DecoderLimits { message_bytes_max: 10, fragments_max: 3 };
        case
    }

    /// §5.1 and §5.3: who masks, and how.
    fn masking(&mut self) {
        let hello = || Frame::text("Hello");
        self.add("5.1", "server takes a masked frame", Server, hello().bytes(Server)).says([text("Hello")]);
        self.add("5.1", "server refuses an unmasked frame", Server, hello().wrong_mask().bytes(Server))
            .refused(Violation::Unmasked);
        self.add("5.1", "client takes an unmasked frame", Client, hello().bytes(Client)).says([text("Hello")]);
        self.add("5.1", "client refuses a masked frame", Client, hello().wrong_mask().bytes(Client))
            .refused(Violation::Masked);
        for (name, frame) in [
            ("continuation", Frame::continuation("")),
            ("ping", Frame::ping("")),
            ("pong", Frame::pong("")),
            ("close", Frame::close(1000, "")),
        ] {
            let first = if name == "continuation" { vec![Frame::text("a").more()] } else { vec![] };
            let unmasked: Vec<_> = first.into_iter().chain([frame.wrong_mask()]).collect();
            self.case("5.1", format!("server refuses an unmasked {name}"), &unmasked).refused(Violation::Unmasked);
        }
        self.case("5.1", "one unmasked frame after a masked one", &[hello(), hello().wrong_mask()])
            .says([text("Hello")])
            .refused(Violation::Unmasked);
        self.case("5.3", "a mask of zeros changes nothing", &[hello().mask([0; 4])]).says([text("Hello")]);
        self.case("5.3", "a mask of ones inverts", &[hello().mask([0xff; 4])]).says([text("Hello")]);
        for bytes in [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65] {
            let payload: Vec<u8> = (0..bytes).collect();
            self.case("5.3", format!("unmasks {bytes} bytes"), &[Frame::binary(&payload)]).says([binary(payload)]);
        }
        self.case(
            "5.3",
            "each frame has its own mask",
            &[
                Frame::text("a").mask([1, 2, 3, 4]).more(),
                Frame::ping("b").mask([5, 6, 7, 8]),
                Frame::continuation("c").mask([9, 10, 11, 12]),
            ],
        )
        .says([ping("b"), text("ac")]);
    }

    /// §5.2 and §5.7: the first byte, and the examples of the RFC to the byte.
    fn framing(&mut self) {
        for bits in 1..=7 {
            self.case("5.2", format!("reserved bits {bits:03b}"), &[Frame::text("a").reserved_bits(bits)])
                .refused(Violation::ReservedBits);
        }
        self.case("5.2", "reserved bit on a ping", &[Frame::ping("").reserved_bits(4)])
            .refused(Violation::ReservedBits);
        self.case(
            "5.2",
            "reserved bit on a continuation",
            &[Frame::text("a").more(), Frame::continuation("b").reserved_bits(1)],
        )
        .refused(Violation::ReservedBits);
        for opcode in [0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf] {
            self.case("5.2", format!("reserved opcode {opcode:#x}"), &[Frame::new(opcode, "")])
                .refused(Violation::ReservedOpcode(opcode));
        }
        self.case("5.2", "reserved opcode inside a message", &[Frame::text("a").more(), Frame::new(0x3, "b")])
            .refused(Violation::ReservedOpcode(0x3));
        self.case("5.2", "reserved opcode after a good message", &[Frame::text("a"), Frame::new(0xb, "")])
            .says([text("a")])
            .refused(Violation::ReservedOpcode(0xb));
        self.add("5.2", "the first byte alone is judged", Server, vec![0xc1]).refused(Violation::ReservedBits);
        self.add("5.2", "the second byte alone is judged", Server, vec![0x81, 0x05]).refused(Violation::Unmasked);
        self.add("5.2", "nothing at all", Server, vec![]);
        self.add("5.2", "half a header", Server, vec![0x81, 0x85, 0x37]).end = End::Mid;
        self.add("5.2", "half a payload", Server, vec![0x81, 0x82, 0, 0, 0, 0, b'a']).end = End::Mid;

        let (masked, unmasked) = (hex("818537fa213d7f9f4d5158"), hex("810548656c6c6f"));
        self.add("5.7", "a single-frame unmasked text message", Client, unmasked).says([text("Hello")]);
        self.add("5.7", "a single-frame masked text message", Server, masked).says([text("Hello")]);
        self.add("5.7", "a fragmented unmasked text message", Client, hex("010348656c80026c6f")).says([text("Hello")]);
        self.add("5.7", "unmasked ping", Client, hex("890548656c6c6f")).says([ping("Hello")]);
        self.add("5.7", "masked pong", Server, hex("8a8537fa213d7f9f4d5158")).says([pong("Hello")]);
        let head = |start: &str, bytes: usize| [hex(start), vec![7; bytes]].concat();
        self.add("5.7", "256 bytes of binary", Client, head("827e0100", 256)).says([binary(vec![7; 256])]);
        self.add("5.7", "64 KiB of binary", Client, head("827f0000000000010000", 65_536))
            .says([binary(vec![7; 65_536])]);
    }

    /// §5.2: the three forms of a length.
    fn lengths(&mut self) {
        for bytes in [0, 1, 124, 125, 126, 127, 128, 1_000, 65_535, 65_536, 65_537] {
            let payload = vec![b'x'; bytes];
            self.case("5.2", format!("text of {bytes} bytes"), &[Frame::text(&payload)])
                .says([text(&"x".repeat(bytes))]);
            self.case("5.2", format!("binary of {bytes} bytes"), &[Frame::binary(&payload)]).says([binary(payload)]);
        }
        for bytes in [0, 1, 125] {
            self.case("5.2", format!("{bytes} in 16 bits"), &[Frame::text(vec![b'x'; bytes]).length_16()])
                .refused(Violation::LengthNotMinimal);
        }
        for bytes in [0, 125, 126, 65_535] {
            self.case("5.2", format!("{bytes} in 64 bits"), &[Frame::text(vec![b'x'; bytes]).length_64()])
                .refused(Violation::LengthNotMinimal);
        }
        for claim in [1 << 63, u64::MAX] {
            self.case("5.2", format!("length {claim:#x}"), &[Frame::binary("").claims(claim)])
                .refused(Violation::LengthTopBit);
        }
        self.case("5.2", "the largest legal length is only too big", &[Frame::binary("").claims(u64::MAX >> 1)])
            .refused(Violation::MessageTooBig);
    }

    /// §5.4: messages in several frames.
    fn fragmentation(&mut self) {
        let (a, b, c) = (|| Frame::text("a").more(), || Frame::continuation("b").more(), || Frame::continuation("c"));
        self.case("5.4", "text in two frames", &[a(), c()]).says([text("ac")]);
        self.case("5.4", "text in three frames", &[a(), b(), c()]).says([text("abc")]);
        self.case("5.4", "binary in three frames", &[Frame::binary([0xff]).more(), b(), c()])
            .says([binary(*b"\xffbc")]);
        self.case("5.4", "an empty first frame", &[Frame::text("").more(), c()]).says([text("c")]);
        self.case("5.4", "an empty last frame", &[a(), Frame::continuation("")]).says([text("a")]);
        self.case("5.4", "empty frames alone are an empty text", &[Frame::text("").more(), Frame::continuation("")])
            .says([text("")]);
        self.case(
            "5.4",
            "empty frames alone are an empty binary",
            &[Frame::binary("").more(), Frame::continuation("").more(), Frame::continuation("")],
        )
        .says([binary([])]);
        self.case("5.4", "two fragmented messages in a row", &[a(), c(), Frame::binary("d").more(), c()])
            .says([text("ac"), binary(*b"dc")]);
        self.case("5.4", "an unfragmented message after a fragmented one", &[a(), c(), Frame::text("d")])
            .says([text("ac"), text("d")]);
        self.case("5.4", "a message without an end", &[a(), b()]).end = End::Mid;
        self.case("5.4", "an empty message without an end", &[Frame::text("").more()]).end = End::Mid;
        self.case("5.4", "nothing to continue", &[c()]).refused(Violation::NothingToContinue);
        self.case("5.4", "nothing to continue, with more to come", &[b()]).refused(Violation::NothingToContinue);
        self.case("5.4", "nothing to continue after a message", &[Frame::text("a"), c()])
            .says([text("a")])
            .refused(Violation::NothingToContinue);
        self.case("5.4", "nothing to continue after a fragmented message", &[a(), c(), c()])
            .says([text("ac")])
            .refused(Violation::NothingToContinue);
        self.case("5.4", "text inside text", &[a(), Frame::text("b")]).refused(Violation::MessageInterrupted);
        self.case("5.4", "fragmented text inside text", &[a(), a()]).refused(Violation::MessageInterrupted);
        self.case("5.4", "binary inside text", &[a(), Frame::binary("b")]).refused(Violation::MessageInterrupted);
        self.case("5.4", "text inside an empty binary", &[Frame::binary("").more(), Frame::text("b")])
            .refused(Violation::MessageInterrupted);
        self.case("5.4", "a ping between fragments", &[a(), Frame::ping("p"), c()]).says([ping("p"), text("ac")]);
        self.case(
            "5.4",
            "control frames between all fragments",
            &[a(), Frame::ping("1"), b(), Frame::pong("2"), Frame::ping(""), c()],
        )
        .says([ping("1"), pong("2"), ping(""), text("abc")]);
        self.case("5.4", "a close between fragments ends all", &[a(), Frame::close(1000, ""), c()])
            .says([close(1000, "")]);
    }

    /// §5.5: pings, pongs and the rules of every control frame.
    fn control_frames(&mut self) {
        for (name, opcode, said) in [("ping", 0x9, ping as fn(&str) -> Said), ("pong", 0xa, pong)] {
            for bytes in [0, 1, 124, 125] {
                let payload = "x".repeat(bytes);
                self.case("5.5", format!("{name} of {bytes} bytes"), &[Frame::new(opcode, &payload)])
                    .says([said(&payload)]);
            }
            let long = Frame::new(opcode, "x".repeat(126));
            self.case("5.5", format!("{name} of 126 bytes"), &[long]).refused(Violation::ControlTooLong);
            let longer = Frame::new(opcode, "").claims(1 << 20);
            self.case("5.5", format!("{name} that claims 1 MiB"), &[longer]).refused(Violation::ControlTooLong);
            let wide = Frame::new(opcode, "").length_16();
            self.case("5.5", format!("{name} with a 16-bit length"), &[wide]).refused(Violation::ControlTooLong);
            self.case("5.5", format!("fragmented {name}"), &[Frame::new(opcode, "").more()])
                .refused(Violation::FragmentedControl);
        }
        self.case("5.5", "close of 126 bytes", &[Frame::close(1000, "x".repeat(124))])
            .refused(Violation::ControlTooLong);
        self.case("5.5", "fragmented close", &[Frame::close(1000, "").more()]).refused(Violation::FragmentedControl);
        let not_text = Frame::ping([0xff, 0x00, 0xfe]);
        self.case("5.5.2", "a ping is bytes, not text", &[not_text]).says([Said::Ping(vec![0xff, 0x00, 0xfe])]);
        self.case("5.5.3", "a pong that nobody asked for", &[Frame::pong("?")]).says([pong("?")]);
        self.case("5.5.2", "ten pings", &vec![Frame::ping("p"); 10]).says(vec![ping("p"); 10]);
    }

    /// §5.5.1 and §7.4: close frames.
    fn close(&mut self) {
        self.case("5.5.1", "an empty close", &[Frame::new(0x8, "")]).says([Said::Close(None)]);
        self.case("5.5.1", "half a code", &[Frame::new(0x8, [3])]).refused(Violation::CloseLength);
        self.case("5.5.1", "a code", &[Frame::close(1000, "")]).says([close(1000, "")]);
        self.case("5.5.1", "a code and a reason", &[Frame::close(1001, "bye")]).says([close(1001, "bye")]);
        let reason = "x".repeat(123);
        self.case("5.5.1", "the longest reason", &[Frame::close(1000, &reason)]).says([close(1000, &reason)]);
        self.case("5.5.1", "a reason beyond ASCII", &[Frame::close(1000, "schöne Grüße 👋")])
            .says([close(1000, "schöne Grüße 👋")]);
        self.case("5.5.1", "a reason that is not UTF-8", &[Frame::close(1000, [0xff])])
            .refused(Violation::CloseReasonNotUtf8);
        self.case("5.5.1", "a reason that is cut", &[Frame::close(1000, [0xe2, 0x82])])
            .refused(Violation::CloseReasonNotUtf8);
        self.case("5.5.1", "data after a close is discarded", &[Frame::close(1000, ""), Frame::text("late")])
            .says([close(1000, "")]);
        self.case("5.5.1", "a second close is discarded", &[Frame::close(1000, ""), Frame::close(1001, "")])
            .says([close(1000, "")]);
        self.case("5.5.1", "a ping after a close is discarded", &[Frame::close(4000, "x"), Frame::ping("")])
            .says([close(4000, "x")]);
        let junk = [Frame::new(0x8, "").bytes(Server), vec![0xff; 9]].concat();
        self.add("1.4", "junk after a close is discarded, not judged", Server, junk).says([Said::Close(None)]);
        let (sent, refused) = (
            [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999],
            [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 5001, 65_535],
        );
        for code in sent {
            self.case("7.4", format!("close code {code}"), &[Frame::close(code, "")]).says([close(code, "")]);
        }
        for code in refused {
            self.case("7.4", format!("close code {code}"), &[Frame::close(code, "")])
                .refused(Violation::CloseCode(code));
        }
        self.case("7.4", "a bad code rules over a bad reason", &[Frame::close(1005, [0xff])])
            .refused(Violation::CloseCode(1005));
    }

    /// §10.4: what an implementation may refuse.
    fn limits(&mut self) {
        self.limited("a message at the limit", &[Frame::text("0123456789")]).says([text("0123456789")]);
        self.limited("a message beyond the limit", &[Frame::text("0123456789a")]).refused(Violation::MessageTooBig);
        self.limited("a header beyond the limit is enough", &[Frame::text("").claims(11)])
            .refused(Violation::MessageTooBig);
        self.limited("a huge claim", &[Frame::binary("").claims(1 << 40)]).refused(Violation::MessageTooBig);
        self.limited("fragments at the limit", &[Frame::text("01234").more(), Frame::continuation("56789")])
            .says([text("0123456789")]);
        self.limited(
            "fragments beyond the limit together",
            &[Frame::text("01234").more(), Frame::continuation("567890")],
        )
        .refused(Violation::MessageTooBig);
        self.limited(
            "a cut character counts",
            &[Frame::text([b'0', 0xe2, 0x82]).more(), Frame::continuation([0xac, b'4', b'5', b'6', b'7', b'8', b'9'])],
        )
        .says([text("0€456789")]);
        self.limited(
            "a cut character counts beyond the limit",
            &[
                Frame::text([b'0', 0xe2, 0x82]).more(),
                Frame::continuation([0xac, b'4', b'5', b'6', b'7', b'8', b'9', b'a']),
            ],
        )
        .refused(Violation::MessageTooBig);
        self.limited(
            "the limit is of one message, not of all",
            &[Frame::text("0123456789"), Frame::text("0123456789")],
        )
        .says([text("0123456789"), text("0123456789")]);
        self.limited("a control frame has its own limit", &[Frame::ping("x".repeat(125))])
            .says([ping(&"x".repeat(125))]);
        self.limited(
            "a full message and a ping inside it",
            &[Frame::text("0123456789").more(), Frame::ping("01234567890"), Frame::continuation("")],
        )
        .says([ping("01234567890"), text("0123456789")]);
        let (first, next, last) =
            (|| Frame::text("a").more(), || Frame::continuation("").more(), || Frame::continuation(""));
        self.limited("fragments at their limit", &[first(), next(), last()]).says([text("a")]);
        self.limited("fragments beyond their limit", &[first(), next(), next(), last()])
            .refused(Violation::TooManyFragments);
        self.limited("control frames are no fragments", &[first(), Frame::ping(""), next(), Frame::ping(""), last()])
            .says([ping(""), ping(""), text("a")]);
        self.limited("the count begins again", &[first(), next(), last(), first(), next(), last()])
            .says([text("a"), text("a")]);
        self.limited("unfragmented messages are not counted", &vec![Frame::text("a"); 9]).says(vec![text("a"); 9]);
        let none = DecoderLimits { message_bytes_max: 0, fragments_max: 0 };
        self.limited("one empty frame is always allowed", &[Frame::text("")]).says([text("")]).limits = none;
        self.limited("no byte allowed", &[Frame::text("a")]).refused(Violation::MessageTooBig).limits = none;
        self.limited("no fragment allowed", &[first(), last()]).refused(Violation::TooManyFragments).limits = none;
    }

    /// §5.6 and §8.1: text is UTF-8, as a whole and not frame by frame.
    fn text(&mut self) {
        for sample in ["Κόσμε", "\u{0}", "\u{80}", "\u{7ff}", "\u{800}", "\u{d7ff}", "\u{e000}", "\u{fffd}", "\u{ffff}"]
        {
            self.case("5.6", format!("text {}", sample.escape_unicode()), &[Frame::text(sample)]).says([text(sample)]);
        }
        for sample in ["\u{10000}", "\u{10ffff}", "e\u{301}", "\u{feff}bom", "👩‍👩‍👧"] {
            self.case("5.6", format!("text {}", sample.escape_unicode()), &[Frame::text(sample)]).says([text(sample)]);
        }
        let euro = |at: usize| [Frame::text(&"€".as_bytes()[..at]).more(), Frame::continuation(&"€".as_bytes()[at..])];
        self.case("8.1", "a character cut after one byte", &euro(1)).says([text("€")]);
        self.case("8.1", "a character cut after two bytes", &euro(2)).says([text("€")]);
        self.case("8.1", "a message that ends inside a character", &[Frame::text([0xe2, 0x82])])
            .refused(Violation::TextNotUtf8);
        self.case(
            "8.1",
            "a fragmented message that ends inside a character",
            &[Frame::text("a").more(), Frame::continuation([0xe2, 0x82])],
        )
        .refused(Violation::TextNotUtf8);
        self.case(
            "8.1",
            "an empty frame does not complete a character",
            &[Frame::text([0xe2, 0x82]).more(), Frame::continuation("")],
        )
        .refused(Violation::TextNotUtf8);
        self.case(
            "8.1",
            "a bad first fragment is refused before its successor",
            &[Frame::text([b'a', 0xff]).more(), Frame::ping("never seen")],
        )
        .refused(Violation::TextNotUtf8);
        self.case("8.1", "a bad byte is refused before its frame ends", &[Frame::text([b'a', 0xff]).claims(100)])
            .refused(Violation::TextNotUtf8);
        self.case("8.1", "good messages first, then a bad one", &[Frame::text("a"), Frame::text([0xc0, 0xaf])])
            .says([text("a")])
            .refused(Violation::TextNotUtf8);
        self.case("5.6", "binary is not validated", &[Frame::binary([0xc0, 0xaf, 0xff])])
            .says([binary([0xc0, 0xaf, 0xff])]);
        self.case(
            "5.6",
            "fragmented binary is not validated",
            &[Frame::binary([0xe2, 0x82]).more(), Frame::continuation([0xff])],
        )
        .says([binary([0xe2, 0x82, 0xff])]);
    }
}

impl Case {
    fn says(&mut self, said: impl Into<Vec<Said>>) -> &mut Self {
        self.said = said.into();
        self
    }

    fn refused(&mut self, violation: Violation) -> &mut Self {
        self.end = End::Refused(violation);
        self
    }
}

fn text(text: &str) -> Said {
    Said::Text(text.into())
}

fn binary(bytes: impl Into<Vec<u8>>) -> Said {
    Said::Binary(bytes.into())
}

fn ping(payload: &str) -> Said {
    Said::Ping(payload.into())
}

fn pong(payload: &str) -> Said {
    Said::Pong(payload.into())
}

fn close(code: u16, reason: &str) -> Said {
    Said::Close(Some((code, reason.into())))
}

fn hex(digits: &str) -> Vec<u8> {
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex digits")).collect()
}
