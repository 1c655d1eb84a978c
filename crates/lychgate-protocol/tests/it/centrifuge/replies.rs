//! What a server says, written.

use base64::Engine as _;
use lychgate_protocol::centrifuge::code::{ErrorCode, UnsubscribeCode};
use lychgate_protocol::centrifuge::{
    ClientInfo, ConnectResult, Data, Encoding, ErrorReply, HistoryResult, Publication, Push, RefreshResult, Reply,
    SubscribePush, SubscribeResult, Writer,
};
use lychgate_protocol::json::RawJson;
use serde_json::Value;

use super::{golden, hex, text};

/// What one element of a message says.
enum Said<'a> {
    Reply(u32, Reply<'a>),
    Push(&'a str, Push<'a>),
    Ping,
}

fn written(encoding: Encoding, said: &Said<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(encoding, &mut out);
    match said {
        Said::Reply(id, reply) => writer.reply(*id, reply),
        Said::Push(channel, push) => writer.push(channel, push),
        Said::Ping => writer.ping(),
    };
    out
}

#[test]
fn golden_replies() {
    let entries = golden("replies.json");
    let mut seen = 0;
    for_each(|name, said| {
        let entry = entries.iter().find(|entry| entry["name"] == name).unwrap_or_else(|| panic!("no golden {name}"));
        let json = String::from_utf8(written(Encoding::Json, &said)).expect("UTF-8");
        assert_eq!(json, text(entry, "json"), "{name}");
        assert_eq!(hex(&written(Encoding::Protobuf, &said)), text(entry, "protobuf"), "{name}, in Protobuf");
        seen += 1;
    });
    assert_eq!(seen, entries.len(), "each golden reply is written");
}

/// Every golden reply by its name.
fn for_each(mut check: impl FnMut(&str, Said<'_>)) {
    let json = Data::json_trusted;
    let ada = ClientInfo { user: "42", client: "8f7d", ..ClientInfo::default() };
    let ada_known = ClientInfo { conn_info: json(r#"{"name":"Ada"}"#), chan_info: json("true"), ..ada };
    let publication = |data, offset| Publication { data: json(data), offset, ..Publication::default() };
    let news = |push| Said::Push("news", push);

    check("error", Said::Reply(1, ErrorCode::PERMISSION_DENIED.into()));
    check("error that passes", Said::Reply(2, ErrorCode::INTERNAL.into()));
    let late = ErrorReply { code: ErrorCode(1000), message: "too \"late\"", temporary: false };
    check("error of the application", Said::Reply(3, Reply::Error(late)));

    let connected =
        ConnectResult { client: "8f7d", version: "0.1.0", ping: 25, pong: true, ..ConnectResult::default() };
    let subs = [("pers:#42", SubscribeResult::default())];
    check("connect", Said::Reply(1, Reply::Connect(ConnectResult { subs: &subs, ..connected })));
    let recovered = SubscribeResult {
        recoverable: true,
        epoch: "xyzw",
        recovered: true,
        offset: 5,
        positioned: true,
        was_recovering: true,
        ..SubscribeResult::default()
    };
    let everything = ConnectResult {
        expires: true,
        ttl: 600,
        data: json(r#"{"motd":"hi"}"#),
        subs: &[("news", recovered), ("q\"ux", SubscribeResult::default())],
        session: "s",
        node: "n",
        time: 1_700_000_000_000,
        ..connected
    };
    check("connect with everything", Said::Reply(1, Reply::Connect(everything)));

    check("subscribe", Said::Reply(2, Reply::Subscribe(SubscribeResult::default())));
    let stream = SubscribeResult { recovered: false, was_recovering: false, offset: 7, ..recovered };
    check("subscribe with a stream", Said::Reply(2, Reply::Subscribe(stream)));
    let missed = [publication(r#"{"n":6}"#, 6), Publication { info: Some(ada), ..publication(r#"{"n":7}"#, 7) }];
    let recovered = SubscribeResult {
        expires: true,
        ttl: 60,
        publications: &missed,
        data: json(r#"["hi"]"#),
        delta: true,
        ..recovered
    };
    check("subscribe, recovered", Said::Reply(2, Reply::Subscribe(recovered)));
    check("unsubscribe", Said::Reply(3, Reply::Unsubscribe));
    check("publish", Said::Reply(4, Reply::Publish));

    check("presence of nobody", Said::Reply(5, Reply::Presence(&[])));
    let nobody = ClientInfo { client: "9a", ..ClientInfo::default() };
    let present = [ClientInfo { chan_info: json("[1]"), ..ada_known }, nobody];
    check("presence", Said::Reply(5, Reply::Presence(&present)));
    check("presence stats of nobody", Said::Reply(6, Reply::PresenceStats { num_clients: 0, num_users: 0 }));
    check("presence stats", Said::Reply(6, Reply::PresenceStats { num_clients: 300, num_users: 1 }));

    check("history of nothing", Said::Reply(7, Reply::History(HistoryResult::default())));
    let kept = [Publication { epoch: "xyzw", ..publication("\"a\"", 1) }, publication("null", 2)];
    let history = HistoryResult { publications: &kept, epoch: "xyzw", offset: 2 };
    check("history", Said::Reply(7, Reply::History(history)));
    check("rpc", Said::Reply(8, Reply::Rpc { data: json(r#"{"sum":3}"#) }));
    check("rpc without data", Said::Reply(8, Reply::Rpc { data: Data::ABSENT }));
    let refreshed = RefreshResult { client: "8f7d", version: "0.1.0", expires: true, ttl: 600 };
    check("refresh", Said::Reply(9, Reply::Refresh(refreshed)));
    check("refresh without an end", Said::Reply(9, Reply::Refresh(RefreshResult::default())));
    check("sub_refresh", Said::Reply(10, Reply::SubRefresh { expires: true, ttl: 60 }));

    let hello = Publication { data: json(r#"{"text":"héllo 😀"}"#), ..Publication::default() };
    check("publication", news(Push::Publication(hello)));
    let everything = Publication {
        info: Some(ada_known),
        tags: &[("lang".into(), "en".into()), ("ticker".into(), "AAPL".into())],
        delta: true,
        time: 1_700_000_000_000,
        epoch: "xyzw",
        ..publication(r#"{"n":1}"#, u64::MAX)
    };
    check("publication with everything", news(Push::Publication(everything)));
    check("join", news(Push::Join(ada)));
    check("leave", news(Push::Leave(ClientInfo { user: "", ..ada })));
    let ended = Push::Unsubscribe { code: UnsubscribeCode::SERVER, reason: UnsubscribeCode::SERVER.reason() };
    check("unsubscribe by the server", news(ended));
    let made =
        SubscribePush { recoverable: true, epoch: "xyzw", offset: 3, positioned: true, data: json(r#"{"a":1}"#) };
    check("subscribe by the server", news(Push::Subscribe(made)));
    check("message", Said::Push("", Push::Message { data: json(r#"{"to":"you"}"#) }));
    check("disconnect", Said::Push("", Push::Disconnect { code: 3503, reason: "force disconnect" }));
    check("refresh by the server", Said::Push("", Push::Refresh { expires: true, ttl: 600 }));
    check("ping", Said::Ping);
}

#[test]
fn newlines_between_the_tokens_of_a_payload_go_and_nothing_else_does() {
    for (payload, expected) in [
        ("{\n  \"a\": \"x\\ny\",\r\n  \"b\": [1, 2]\n}\n", "{  \"a\": \"x\\ny\",\r  \"b\": [1, 2]}"),
        ("{ \"a\" :  1.50e2 }", "{ \"a\" :  1.50e2 }"),
        ("\n1\n", "1"),
    ] {
        let reply = Said::Reply(1, Reply::Rpc { data: Data::json_trusted(payload) });
        let json = String::from_utf8(written(Encoding::Json, &reply)).expect("UTF-8");
        assert_eq!(json, format!(r#"{{"id":1,"rpc":{{"data":{expected}}}}}"#));
        let protobuf = written(Encoding::Protobuf, &reply);
        assert!(protobuf.ends_with(payload.as_bytes()), "Protobuf has no need of it");
    }
}

#[test]
fn bytes_of_unknown_kind_are_json_where_they_are_and_base64_where_they_are_not() {
    let data_of = |data| {
        let json = written(Encoding::Json, &Said::Reply(1, Reply::Rpc { data }));
        let value: Value = serde_json::from_slice(&json).expect("one JSON value");
        value["rpc"]["data"].clone()
    };
    assert_eq!(data_of(Data::bytes_of(br#"{"a":1}"#)), serde_json::json!({ "a": 1 }));
    for bytes in [&b"\xff\x00"[..], b"}}\n{\"push\":{}}", b"1}", b"{\"a\":1", b" "] {
        let base64 = base64::engine::general_purpose::STANDARD.encode(bytes);
        assert_eq!(data_of(Data::bytes_of(bytes)), Value::from(base64), "{}", bytes.escape_ascii());
    }
    let raw = RawJson::string("a\nb");
    assert_eq!(data_of(Data::json(&raw)), "a\nb");
}

#[test]
fn texts_are_escaped() {
    let text = "a\"b\\c\nd\u{0}\u{2028}é";
    let info = ClientInfo { user: text, client: text, ..ClientInfo::default() };
    let json = written(Encoding::Json, &Said::Reply(1, Reply::Presence(&[info])));
    assert!(!json.contains(&b'\n'));
    let value: Value = serde_json::from_slice(&json).expect("JSON");
    assert_eq!(value["presence"]["presence"][text]["user"], text);
}
