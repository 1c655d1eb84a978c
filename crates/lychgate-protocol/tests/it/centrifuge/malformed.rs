//! What is no command: each fault, with the offset that it is found at and what came before it.

use lychgate_protocol::centrifuge::{BadData, Data, Encoding, Malformed};
use lychgate_protocol::json::DEPTH_MAX;
use lychgate_protocol::ws::CloseCode;

use super::{golden, read, text, unhex};

#[test]
fn golden_faults() {
    let entries = golden("malformed.json");
    assert!(entries.len() >= 50, "{} faults", entries.len());
    for entry in entries {
        let name = text(&entry, "name");
        let encoding = Encoding::ALL.into_iter().find(|encoding| encoding.name() == text(&entry, "encoding"));
        let encoding = encoding.expect("an encoding");
        let message = match entry["text"].as_str() {
            Some(text) => text.as_bytes().to_vec(),
            None => unhex(text(&entry, "hex")),
        };
        let (commands, fault) = read(encoding, &message);
        let fault = fault.unwrap_or_else(|| panic!("{name}: {commands:?}"));
        assert_eq!(fault.code(), text(&entry, "fault"), "{name}: {fault:?}");
        assert_eq!(Some(commands.len() as u64), entry["before"].as_u64(), "{name}: {commands:?}");
        assert_eq!(fault.close_code(), CloseCode::BAD_REQUEST);
        assert!(at(fault).is_none_or(|at| at <= message.len()), "{name}: {fault:?}");
        if let Some(expected) = entry["at"].as_u64() {
            assert_eq!(at(fault).map(|at| at as u64), Some(expected), "{name}: {fault:?}");
        }
    }
}

fn at(fault: Malformed) -> Option<usize> {
    match fault {
        Malformed::Empty => None,
        Malformed::BlankLine { at }
        | Malformed::NotUtf8 { at }
        | Malformed::NotACommand { at }
        | Malformed::TooDeep { at }
        | Malformed::NotAMessage { at } => Some(at),
    }
}

#[test]
fn depth_is_limited_wherever_it_is() {
    let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    // The command itself and its method are two levels.
    let publish = |levels| format!(r#"{{"id":1,"publish":{{"channel":"c","data":{}}}}}"#, nested(levels));
    let unknown = |levels| format!(r#" {{"id":1,"x":{}}}"#, nested(levels));
    for (fits, deep) in [(publish(DEPTH_MAX - 2), publish(DEPTH_MAX - 1)), (unknown(DEPTH_MAX - 1), unknown(DEPTH_MAX))]
    {
        assert_eq!(read(Encoding::Json, fits.as_bytes()).1, None);
        assert_eq!(read(Encoding::Json, deep.as_bytes()).1, Some(Malformed::TooDeep { at: 0 }));
    }
    // A stack that followed the input would not survive this.
    let message = format!("{}\n{}", publish(1), publish(1_000_000));
    let (before, fault) = read(Encoding::Json, message.as_bytes());
    assert_eq!((before.len(), fault.map(Malformed::code)), (1, Some("too_deep")));
}

#[test]
fn a_payload_is_as_deep_as_it_may_be_in_either_encoding() {
    let nested = |levels: usize| format!(" {}{} ", "[".repeat(levels), "]".repeat(levels));
    let (fits, deep) = (nested(DEPTH_MAX - 2), nested(DEPTH_MAX - 1));
    assert_eq!(Data::bytes_of(fits.as_bytes()).checked().map(Data::bytes), Ok(fits.as_bytes()));
    assert_eq!(Data::bytes_of(deep.as_bytes()).checked(), Err(BadData::TooDeep));
    assert!(matches!(Data::bytes_of(b"[").checked(), Err(BadData::NotJson(fault)) if fault.at == 1));
    assert!(matches!(Data::bytes_of(b"\"\xff\"").checked(), Err(BadData::NotJson(fault)) if fault.at == 1));
}

#[test]
fn a_claimed_length_is_a_fault_and_no_allocation() {
    for claim in [&b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f"[..], b"\xff\xff\xff\xff\x0f", b"\x05"] {
        let message = [claim, b"\x08\x01"].concat();
        assert_eq!(read(Encoding::Protobuf, &message).1, Some(Malformed::NotAMessage { at: 0 }));
        let within = [&[claim.len() as u8 + 1, 0x3a][..], claim].concat();
        assert_eq!(read(Encoding::Protobuf, &within).1, Some(Malformed::NotAMessage { at: 0 }));
    }
}

#[test]
fn faults_speak_plainly_and_repeat_nothing() {
    for (encoding, message) in [(Encoding::Json, &b"{\"hush\":}"[..]), (Encoding::Protobuf, b"\x04hush")] {
        let (_, fault) = read(encoding, message);
        let fault = fault.expect("a fault");
        assert!(!fault.to_string().contains("hush") && fault.to_string().contains("command"), "{fault}");
    }
}
