//! What clients send, read.

use std::borrow::Cow;

use lychgate_protocol::centrifuge::{Command, Commands, DataKind, Encoding, Malformed, Method};
use serde_json::{Value, json};

use super::described::described;
use super::{golden, read, read_one, text, unhex};

#[test]
fn golden_commands() {
    let entries = golden("commands.json");
    assert!(entries.len() >= 25, "{} commands", entries.len());
    for entry in entries {
        let name = text(&entry, "name");
        let mut expected: Value = serde_json::from_str(text(&entry, "json")).expect(name);
        if let Some(filter) = expected.pointer_mut("/subscribe/tf") {
            *filter = json!(true);
        }
        let protobuf = unhex(text(&entry, "protobuf"));
        let from_json = read_one(Encoding::Json, text(&entry, "json").as_bytes());
        let from_protobuf = read_one(Encoding::Protobuf, &protobuf);
        assert_eq!(described(&from_json), expected, "{name}");
        assert_eq!(described(&from_protobuf), expected, "{name}, in Protobuf");
        let is = |wanted: fn(&Method<'_>) -> bool| wanted(&from_json.method) && wanted(&from_protobuf.method);
        assert_eq!(is(|method| *method == Method::Pong), name == "pong");
        assert_eq!(is(|method| *method == Method::None), name == "an id alone");
    }
}

#[test]
fn commands_of_one_message_come_in_order() {
    let (json, protobuf): (Vec<_>, Vec<_>) = golden("commands.json")
        .iter()
        .map(|entry| (text(entry, "json").to_owned(), unhex(text(entry, "protobuf"))))
        .unzip();
    let ids = |commands: Vec<Command<'_>>| commands.iter().map(|command| command.id).collect::<Vec<_>>();
    let alone: Vec<u32> = json.iter().map(|line| read_one(Encoding::Json, line.as_bytes()).id).collect();
    let joined = json.join("\n");
    for message in [joined.clone(), joined.clone() + "\n", joined.replace('\n', "\r\n")] {
        let (commands, fault) = read(Encoding::Json, message.as_bytes());
        assert_eq!((ids(commands), fault), (alone.clone(), None));
    }
    let protobuf = protobuf.concat();
    let (commands, fault) = read(Encoding::Protobuf, &protobuf);
    assert_eq!((ids(commands), fault), (alone, None));
}

#[test]
fn the_first_method_in_the_protocols_order_counts() {
    let order = [
        (4, "connect"),
        (5, "subscribe"),
        (6, "unsubscribe"),
        (7, "publish"),
        (8, "presence"),
        (9, "presence_stats"),
        (10, "history"),
        (13, "rpc"),
        (12, "send"),
        (14, "refresh"),
        (15, "sub_refresh"),
        (11, "ping"),
    ];
    for (at, (first_field, first)) in order.iter().enumerate() {
        for (second_field, second) in &order[at + 1..] {
            let expected = json!({ "id": 1, *first: {} });
            for (a, b) in [(first, second), (second, first)] {
                let message = format!(r#"{{"{a}":{{}},"id":1,"{b}":{{}}}}"#);
                assert_eq!(described(&read_one(Encoding::Json, message.as_bytes())), expected, "{message}");
            }
            for (a, b) in [(first_field, second_field), (second_field, first_field)] {
                let message = [6, 8, 1, a << 3 | 2, 0, b << 3 | 2, 0];
                assert_eq!(described(&read_one(Encoding::Protobuf, &message)), expected, "{a} and {b}");
            }
        }
    }
}

#[test]
fn payloads_pass_byte_for_byte() {
    for data in ["null", "true", "0", "-1.50e3", r#"  " \u00e9 é "  "#, "[ 1 ,2]", r#"{ "a" : {"b":[ ]} }"#, "1e999"] {
        let message = format!(r#"{{"id":1,"publish":{{"channel":"c","data":{data}}}}}"#);
        let command = read_one(Encoding::Json, message.as_bytes());
        let Method::Publish(publish) = command.method else { panic!("{message}") };
        assert_eq!(publish.data.as_json(), Some(data.trim()), "{message}");
        assert_eq!((publish.data.bytes(), publish.data.kind()), (data.trim().as_bytes(), DataKind::Json));
    }
    let message = b"\x0a\x08\x01\x3a\x06\x12\x04\xff\x00\x0a{";
    let Method::Publish(publish) = read_one(Encoding::Protobuf, message).method else { panic!("a publish") };
    assert_eq!((publish.data.bytes(), publish.data.kind()), (&b"\xff\x00\x0a{"[..], DataKind::Bytes));
    assert_eq!((publish.data.as_json(), publish.data.checked().is_err()), (None, true));
    let Method::Publish(publish) = read_one(Encoding::Json, br#"{"id":1,"publish":{"channel":"c"}}"#).method else {
        panic!("a publish")
    };
    assert!(publish.data.is_absent() && publish.data.checked().is_ok());
}

#[test]
fn texts_are_borrowed_unless_they_have_escapes() {
    let channel = |message| match read_one(Encoding::Json, message).method {
        Method::Presence { channel } => channel,
        other => panic!("{other:?}"),
    };
    assert!(matches!(channel(br#"{"id":1,"presence":{"channel":"news"}}"#), Cow::Borrowed("news")));
    assert_eq!(channel(br#"{"id":1,"presence":{"channel":"n\u0065ws\n"}}"#), "news\n");
    assert_eq!(channel(br#"{"id":1,"pres\u0065nce":{"ch\u0061nnel":"news"}}"#), "news", "names are unescaped too");
}

#[test]
fn what_is_unknown_is_read_over_and_null_is_as_good_as_absent() {
    let message = r#"{"x":[{}],"id":2,"subscribe":{"cursor":"","channel":"c","token":null,"offset":null,"recover":null,"tf":null},"rpc":null}"#;
    let expected = json!({ "id": 2, "subscribe": { "channel": "c" } });
    assert_eq!(described(&read_one(Encoding::Json, message.as_bytes())), expected);
    // A varint, bytes, four bytes and eight bytes in fields that the schema does not have.
    let unknown = b"\xf8\x07\x01\xfa\x07\x02ab\xfd\x07abcd\xf9\x07abcdefgh";
    let subscribe = [b"\x0a\x01c", &unknown[..]].concat();
    let body = [&unknown[..], b"\x08\x02\x2a", &[subscribe.len() as u8], &subscribe, unknown].concat();
    let message = [&[body.len() as u8][..], &body].concat();
    assert_eq!(described(&read_one(Encoding::Protobuf, &message)), expected);
    assert_eq!(read_one(Encoding::Json, br#" {"id" : 0 } "#).method, Method::Pong);
    assert_eq!(read_one(Encoding::Json, br#"{"x":1}"#).method, Method::Pong, "neither an id nor a known method");
}

#[test]
fn the_commands_before_a_fault_are_handed_out() {
    let mut commands = Commands::new(Encoding::Json, b"{\"id\":1}\n{\"id\":2}\nx\n{\"id\":3}");
    assert_eq!(commands.next().map(|item| item.map(|command| command.id)), Some(Ok(1)));
    assert_eq!(commands.next().map(|item| item.map(|command| command.id)), Some(Ok(2)));
    assert_eq!(commands.next(), Some(Err(Malformed::NotACommand { at: 18 })));
    assert_eq!((commands.next(), commands.next()), (None, None));
}

#[test]
fn tokens_do_not_print() {
    let messages = [
        r#"{"id":1,"connect":{"token":"hush","headers":{"Authorization":"hush"}}}"#,
        r#"{"id":1,"subscribe":{"token":"hush","data":"hush"}}"#,
        r#"{"id":1,"refresh":{"token":"hush"}}"#,
        r#"{"id":1,"sub_refresh":{"token":"hush"}}"#,
        r#"{"id":1,"publish":{"data":"hush"}}"#,
    ];
    for message in messages {
        let printed = format!("{:?}", read_one(Encoding::Json, message.as_bytes()));
        assert!(!printed.contains("hush"), "{printed}");
    }
}

#[test]
fn the_encoding_is_chosen_by_name() {
    for encoding in Encoding::ALL {
        assert_eq!(Encoding::from_subprotocol(encoding.subprotocol()), Some(encoding));
    }
    assert_eq!(Encoding::from_subprotocol("centrifuge-protobuf"), Some(Encoding::Protobuf));
    assert_eq!(Encoding::from_subprotocol("centrifuge-json"), Some(Encoding::Json));
    for other in ["", "centrifuge", "Centrifuge-JSON", " centrifuge-json"] {
        assert_eq!(Encoding::from_subprotocol(other), None, "{other:?}");
    }
    assert_eq!(Encoding::from_query("cf_protocol", "protobuf"), Some(Encoding::Protobuf));
    assert_eq!(Encoding::from_query("format", "protobuf"), Some(Encoding::Protobuf));
    for (name, value) in [("cf_protocol_version", "v2"), ("format", "xml"), ("token", "protobuf"), ("format", "")] {
        assert_eq!(Encoding::from_query(name, value), None, "{name}={value}");
    }
    assert_eq!(Encoding::ALL.map(Encoding::is_binary), [false, true]);
    assert_eq!(Encoding::ALL.map(Encoding::name), ["json", "protobuf"]);
}
