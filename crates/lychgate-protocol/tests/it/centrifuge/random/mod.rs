//! Random messages: any bytes are read without a panic, and what prost and serde_json write or read is what we do.

mod strategies;
mod values;
mod written;

use lychgate_protocol::centrifuge::{Commands, Encoding, Malformed};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message as _;
use serde_json::Value;

use super::described::described;
use super::{golden, read_one, schema, text, unhex};
use crate::support::runner;
use strategies::{command, reply};
use values::{command_value, reply_value};
use written::written;

const CASES: u32 = 300;

#[test]
fn any_bytes_are_commands_or_a_fault() {
    let (json, protobuf): (Vec<Vec<u8>>, Vec<Vec<u8>>) = golden("commands.json")
        .iter()
        .map(|entry| (text(entry, "json").as_bytes().to_vec(), unhex(text(entry, "protobuf"))))
        .unzip();
    let damaged = |seeds: Vec<Vec<u8>>| {
        let seeds = vec(prop::sample::select(seeds), 1..3).prop_map(|seeds| seeds.join(&b'\n'));
        (seeds, any::<prop::sample::Index>(), vec(any::<u8>(), 0..3)).prop_map(|(mut message, at, bytes)| {
            let at = if message.is_empty() { 0 } else { at.index(message.len()) };
            let end = (at + 1).min(message.len());
            message.splice(at..end, bytes);
            message
        })
    };
    let message = prop_oneof![vec(any::<u8>(), 0..60), damaged(json), damaged(protobuf)];
    runner(CASES * 4)
        .run(&message, |message| {
            for encoding in Encoding::ALL {
                let items: Vec<_> = Commands::new(encoding, &message).collect();
                prop_assert!(!items.is_empty(), "a message holds a command or a fault");
                let faults = items.iter().filter(|item| item.is_err()).count();
                prop_assert!(faults == 0 || (faults == 1 && items.last().is_some_and(Result::is_err)));
                for fault in items.iter().filter_map(|item| item.as_ref().err()) {
                    let (Malformed::BlankLine { at }
                    | Malformed::NotUtf8 { at }
                    | Malformed::NotACommand { at }
                    | Malformed::TooDeep { at }
                    | Malformed::NotAMessage { at }) = fault
                    else {
                        prop_assert!(message.is_empty());
                        continue;
                    };
                    prop_assert!(*at <= message.len());
                }
            }
            Ok(())
        })
        .expect("reading holds");
}

#[test]
fn commands_that_others_write_are_read() {
    runner(CASES)
        .run(&command(), |command| {
            let expected = command_value(&command);
            let protobuf = command.encode_length_delimited_to_vec();
            prop_assert_eq!(described(&read_one(Encoding::Protobuf, &protobuf)), expected.clone());
            let text = expected.to_string();
            prop_assert_eq!(described(&read_one(Encoding::Json, text.as_bytes())), expected);
            Ok(())
        })
        .expect("reading holds");
}

#[test]
fn replies_that_we_write_are_read_by_others() {
    runner(CASES)
        .run(&reply(), |reply| {
            let (json, protobuf) = (written(Encoding::Json, &reply), written(Encoding::Protobuf, &reply));
            prop_assert!(!json.contains(&b'\n'));
            let value: Value = serde_json::from_slice(&json).expect("JSON");
            prop_assert_eq!(value, reply_value(&reply));
            let mut rest = &protobuf[..];
            let read = schema::Reply::decode_length_delimited(&mut rest).expect("Protobuf");
            prop_assert!(rest.is_empty());
            prop_assert_eq!(read, reply);
            Ok(())
        })
        .expect("writing holds");
}
