//! Replies and pushes joined into one message.

use lychgate_protocol::centrifuge::{Data, Encoding, Push, Reply, Writer};
use serde_json::{Value, json};

fn hello() -> Push<'static> {
    Push::Message { data: Data::json_trusted("\"hello\"") }
}

#[test]
fn json_has_a_newline_between_two_and_none_at_the_ends() {
    let mut out = b"before".to_vec();
    let mut writer = Writer::new(Encoding::Json, &mut out);
    assert!(writer.is_empty());
    writer.reply(1, &Reply::Publish).ping().push("", &hello());
    assert!(!writer.is_empty());
    let expected = "before{\"id\":1,\"publish\":{}}\n{}\n{\"push\":{\"message\":{\"data\":\"hello\"}}}";
    assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
}

#[test]
fn protobuf_has_a_length_in_front_of_each() {
    let mut out = Vec::new();
    Writer::new(Encoding::Protobuf, &mut out).reply(1, &Reply::Publish).ping().reply(2, &Reply::Unsubscribe);
    assert_eq!(out, b"\x04\x08\x01\x42\x00\x00\x04\x08\x02\x3a\x00");
}

#[test]
fn what_was_written_before_joins_in() {
    for encoding in Encoding::ALL {
        let (mut alone, mut twice, mut joined) = (Vec::new(), Vec::new(), Vec::new());
        Writer::new(encoding, &mut alone).push("", &hello());
        Writer::new(encoding, &mut twice).push("", &hello()).push("", &hello());
        Writer::new(encoding, &mut joined).written(&alone).written(b"").written(&alone);
        assert_eq!(joined, twice, "{encoding:?}");
    }
}

#[test]
fn a_message_of_many_is_read_as_many() {
    let mut out = Vec::new();
    let mut writer = Writer::new(Encoding::Json, &mut out);
    for id in 1..=100 {
        writer.reply(id, &Reply::Rpc { data: Data::json_trusted("{\n\"a\":\n1}") });
    }
    let text = String::from_utf8(out).expect("UTF-8");
    let values: Vec<Value> = text.split('\n').map(|line| serde_json::from_str(line).expect(line)).collect();
    assert_eq!(values.len(), 100);
    assert_eq!(values[99], json!({ "id": 100, "rpc": { "data": { "a": 1 } } }));
}
