//! Identity and policy at the real door: who somebody is, and what is theirs. Each refusal beside somebody who gets in.

use serde_json::json;

use crate::harness::wire::{self, FIN, PING, connect, frame, request};
use crate::harness::{Server, Setup, Wire, token};

const CONFIG: &str = r#"
[profile.codes]
missing = [4000, "missing"]
invalid = [4001, "invalid"]
user = [4002, "user"]
inactive = [4003, "inactive"]
mismatch = [4004, "mismatch"]
required = [4005, "required"]
not_found = [4006, "not found"]
not_owner = [4007, "not owner"]
forbidden = [4008, "forbidden"]
over_limit = [4009, "over limit"]

[endpoint.known]
path = "/known"
profile = "codes"
identity = { subject = "id", must_exist = true, must_be_active = true }
codec = { stamp = { name = "user.name" } }

[endpoint.self]
path = "/self/{user_id}?room_id={room:name=general}"
channel = "room:{room}"
profile = "codes"
identity = { subject = "id", path_user = "user_id", anonymous = "anonymous" }

[endpoint.chat]
path = "/chat/{channel:int}"
channel = "chat:{channel}"
profile = "codes"
policy = { rule = "member", ask_again = "1s" }

[endpoint.entry]
path = "/entry/{entry:int}"
channel = "entry:{entry}"
profile = "codes"
policy = { rule = "owner" }

[endpoint.hidden]
path = "/hidden/{entry:int}"
channel = "entry:{entry}"
profile = "codes"
policy = { rule = "owner", hide_foreign = true }

[endpoint.granted]
path = "/granted/{name:name}"
channel = "news:{name}"
profile = "codes"
policy = { rule = "grants" }

[endpoint.oldest]
path = "/oldest"
profile = "codes"
connections_per_user = 2
when_full = "close-oldest"

[endpoint.few]
path = "/few"
profile = "codes"
connections_per_user = 2

[endpoint.open]
path = "/open"
profile = "codes"
identity = { anonymous = "guest" }
connections_per_user = 1

[endpoint.device]
path = "/device?device={device:name=none}"
profile = "codes"
connections_per_user = 2
when_full = "replace-same:device"
"#;

/// What the first frame is at `target`: a pong, or the server's close.
async fn enters(server: &Server, target: &str) -> Result<Wire, (u16, String)> {
    let mut wire = Wire::over(connect(server.address).await, &request(target, ""), &frame(FIN | PING, b"in")).await;
    let first = wire.frame().await;
    match first.opcode {
        wire::PONG => Ok(wire),
        wire::CLOSE => Err(first.close()),
        _ => panic!("a pong or a close was expected: {}", first.show()),
    }
}

async fn refused(server: &Server, target: &str) -> (u16, String) {
    enters(server, target).await.err().unwrap_or_else(|| panic!("{target} let in"))
}

async fn lets_in(server: &Server, target: &str) -> Wire {
    enters(server, target).await.unwrap_or_else(|told| panic!("{target} refused: {told:?}"))
}

fn told(code: u16, reason: &str) -> (u16, String) {
    (code, reason.to_owned())
}

#[tokio::test]
async fn a_user_has_to_be_there_and_active() {
    let setup = Setup::of(CONFIG).user("ann", "correct horse battery").disabled_user("bob", "correct horse battery");
    let server = setup.start().await;
    let mut ann = lets_in(&server, &Server::at("/known", "1")).await;
    ann.say("{}").await;
    assert_eq!(ann.hear().await, json!({ "name": "ann" }), "the name is the account's, not the token's");
    assert_eq!(refused(&server, &Server::at("/known", "2")).await, told(4003, "inactive"));
    for sub in ["3", "ann", "01", "-1", "1 ", "99999999999999999999"] {
        let sub = sub.replace(' ', "\u{2007}");
        assert_eq!(refused(&server, &Server::at("/known", &sub)).await, told(4002, "user"), "{sub:?}");
    }
}

#[tokio::test]
async fn the_path_has_to_be_the_user_byte_for_byte() {
    let server = Setup::of(CONFIG).start().await;
    lets_in(&server, &Server::at("/self/123", "123")).await;
    lets_in(&server, &Server::at("/self/%C3%A4", "ä")).await;
    for (path, sub) in [("/self/123", "124"), ("/self/0123", "123"), ("/self/ANN", "ann"), ("/self/a%CC%88", "ä")] {
        assert_eq!(refused(&server, &Server::at(path, sub)).await, told(4004, "mismatch"), "{path} {sub}");
    }
    assert_eq!(refused(&server, "/self/123").await, told(4005, "required"));
    assert_eq!(refused(&server, "/self/123?user_id=123&username=x").await, told(4005, "required"));
}

#[tokio::test]
async fn a_visitor_has_a_path_of_their_own() {
    let server = Setup::of(CONFIG).start().await;
    lets_in(&server, "/self/anonymous").await;
    assert_eq!(refused(&server, "/self/anonymous?token=a.b.c").await, told(4001, "invalid"), "a bad token is not none");
    assert_eq!(refused(&server, &Server::at("/self/anonymous", "ann")).await, told(4004, "mismatch"));
    lets_in(&server, "/self/anonymous?token=").await;
}

#[tokio::test]
async fn rooms_do_not_leak_into_each_other() {
    let server = Setup::of(CONFIG).start().await;
    let at = |room: &str| format!("{}&room_id={room}", Server::at("/self/7", "7"));
    let mut general = lets_in(&server, &Server::at("/self/7", "7")).await;
    let mut gen_room = lets_in(&server, &at("gen")).await;
    let mut long = lets_in(&server, &at("gen_eral")).await;
    for (room, wire) in [("gen", &mut gen_room), ("gen_eral", &mut long), ("general", &mut general)] {
        wire.say(&json!({ "room": room }).to_string()).await;
        assert_eq!(wire.hear().await, json!({ "room": room }), "the first thing heard is one's own");
    }
    for room in ["", "a:b", "a%20b", "*", "gen%00"] {
        assert_eq!(refused(&server, &at(room)).await, told(4006, "not found"), "{room:?}");
    }
    assert_eq!(refused(&server, &format!("{}&room_id=b", at("a"))).await, told(4006, "not found"), "two rooms at once");
}

#[tokio::test]
async fn what_does_not_parse_is_not_found_but_only_for_somebody_known() {
    let server = registered().await;
    for channel in ["x", "05", "5.0", "99999999999999999999", "-0"] {
        let target = Server::at(&format!("/chat/{channel}"), "ann");
        assert_eq!(refused(&server, &target).await, told(4006, "not found"), "{channel}");
        assert_eq!(refused(&server, &format!("/chat/{channel}")).await, told(4000, "missing"), "{channel}");
        assert_eq!(refused(&server, &format!("/chat/{channel}?token=x")).await, told(4001, "invalid"), "{channel}");
    }
    lets_in(&server, &Server::at("/chat/5", "ann")).await;
}

/// A server whose registry knows channel 5 with its member ann, and ann's entry 1 and bob's entry 2.
async fn registered() -> Server {
    let (server, setup) = Setup::of(CONFIG).start_and_keep().await;
    for words in [
        &["resource", "add", "chat:5"][..],
        &["member", "add", "chat:5", "ann"],
        &["resource", "add", "entry:1", "--owner", "ann"],
        &["resource", "add", "entry:2", "--owner", "bob"],
    ] {
        setup.run(words);
    }
    server
}

#[tokio::test]
async fn a_member_enters_and_others_do_not() {
    let server = registered().await;
    lets_in(&server, &Server::at("/chat/5", "ann")).await;
    assert_eq!(refused(&server, &Server::at("/chat/5", "bob")).await, told(4008, "forbidden"));
    assert_eq!(refused(&server, &Server::at("/chat/6", "ann")).await, told(4006, "not found"));
}

#[tokio::test]
async fn an_owner_enters_and_what_is_foreign_can_be_hidden() {
    let server = registered().await;
    lets_in(&server, &Server::at("/entry/1", "ann")).await;
    assert_eq!(refused(&server, &Server::at("/entry/2", "ann")).await, told(4007, "not owner"));
    assert_eq!(refused(&server, &Server::at("/entry/3", "ann")).await, told(4006, "not found"));
    lets_in(&server, &Server::at("/hidden/1", "ann")).await;
    for entry in [2, 3] {
        let target = Server::at(&format!("/hidden/{entry}"), "ann");
        assert_eq!(refused(&server, &target).await, told(4006, "not found"), "{entry}");
    }
}

#[tokio::test]
async fn a_right_that_is_lost_ends_the_socket() {
    let (server, setup) = Setup::of(CONFIG).start_and_keep().await;
    setup.run(&["resource", "add", "chat:5"]);
    setup.run(&["member", "add", "chat:5", "ann"]);
    setup.run(&["member", "add", "chat:5", "bob"]);
    let mut ann = lets_in(&server, &Server::at("/chat/5", "ann")).await;
    let mut bob = lets_in(&server, &Server::at("/chat/5", "bob")).await;
    setup.run(&["member", "remove", "chat:5", "ann"]);
    assert_eq!(ann.closed_politely().await, told(4008, "forbidden"));
    bob.say(r#"{"still":"here"}"#).await;
    assert_eq!(bob.hear().await, json!({ "still": "here" }), "the others' right was asked for as well, and stands");
}

#[tokio::test]
async fn a_token_may_say_where_its_bearer_may_go() {
    let server = Setup::of(CONFIG).start().await;
    let granted = |caps: &str| token::sign(&token::header(&[]), &token::claims(&[("caps", caps)]));
    let wide = granted(r#"[{"channels":["news:*"],"match":"wildcard","allow":["sub"]}]"#);
    lets_in(&server, &format!("/granted/sport?token={wide}")).await;
    let narrow = granted(r#"[{"channels":["news:sport"],"allow":["sub","pub"]}]"#);
    lets_in(&server, &format!("/granted/sport?token={narrow}")).await;
    assert_eq!(refused(&server, &format!("/granted/world?token={narrow}")).await, told(4008, "forbidden"));
    for caps in [
        "[]",
        r#""*""#,
        r#"[{"channels":["news:*"],"allow":["sub"]}]"#,
        r#"[{"channels":["news:sport"],"allow":["pub"]}]"#,
    ] {
        let target = format!("/granted/sport?token={}", granted(caps));
        assert_eq!(refused(&server, &target).await, told(4008, "forbidden"), "{caps}");
    }
    assert_eq!(refused(&server, &Server::at("/granted/sport", "ann")).await, told(4008, "forbidden"), "no caps at all");
}

#[tokio::test]
async fn a_token_that_may_only_listen_cannot_speak() {
    let server = Setup::of(CONFIG).start().await;
    let of = |allow: &str| {
        let caps = format!(r#"[{{"channels":["news:sport"],"allow":{allow}}}]"#);
        format!("/granted/sport?token={}", token::sign(&token::header(&[]), &token::claims(&[("caps", &caps)])))
    };
    let mut listener = lets_in(&server, &of(r#"["sub"]"#)).await;
    let mut speaker = lets_in(&server, &of(r#"["sub","pub"]"#)).await;
    listener.say(r#"{"from":"listener"}"#).await;
    assert_eq!(listener.hear().await["type"], "error");
    speaker.say(r#"{"from":"speaker"}"#).await;
    assert_eq!(listener.hear().await, json!({ "from": "speaker" }));
    assert_eq!(speaker.hear().await, json!({ "from": "speaker" }));
}

#[tokio::test]
async fn a_user_has_so_many_sockets_and_the_oldest_makes_room() {
    let server = Setup::of(CONFIG).start().await;
    let target = Server::at("/oldest", "ann");
    let mut first = lets_in(&server, &target).await;
    let mut second = lets_in(&server, &target).await;
    lets_in(&server, &Server::at("/oldest", "bob")).await;
    let mut third = lets_in(&server, &target).await;
    assert_eq!(first.closed_politely().await, told(4009, "over limit"));
    second.say(r#"{"n":2}"#).await;
    assert_eq!(second.hear().await, json!({ "n": 2 }), "the others stay");
    assert_eq!(third.hear().await, json!({ "n": 2 }));
    third.leave().await;
    lets_in(&server, &target).await;
    second.say(r#"{"n":3}"#).await;
    assert_eq!(second.hear().await, json!({ "n": 3 }), "a seat that was given back is free");
}

#[tokio::test]
async fn or_the_newest_is_refused() {
    let server = Setup::of(CONFIG).start().await;
    let target = Server::at("/few", "ann");
    let first = lets_in(&server, &target).await;
    let mut second = lets_in(&server, &target).await;
    assert_eq!(refused(&server, &target).await, told(4009, "over limit"));
    first.leave().await;
    second.say("{}").await;
    second.hear().await;
    lets_in(&server, &target).await;
}

#[tokio::test]
async fn visitors_are_no_user_whose_sockets_are_counted() {
    let server = Setup::of(CONFIG).over("[limits]\nconnections_per_user = 1\n").start().await;
    let _first = lets_in(&server, "/open").await;
    let _second = lets_in(&server, "/open").await;
    let _guest = lets_in(&server, &Server::at("/open", "guest")).await;
    let again = refused(&server, &Server::at("/open", "guest")).await;
    assert_eq!(again, told(4009, "over limit"), "one who has a token is counted, whatever the name");
}

#[tokio::test]
async fn or_the_same_device_is_replaced() {
    let server = Setup::of(CONFIG).start().await;
    let of = |device: &str| format!("{}&device={device}", Server::at("/device", "ann"));
    let mut phone = lets_in(&server, &of("phone")).await;
    let mut desk = lets_in(&server, &of("desk")).await;
    let mut again = lets_in(&server, &of("phone")).await;
    assert_eq!(phone.closed_politely().await, told(4009, "over limit"));
    assert_eq!(refused(&server, &of("watch")).await, told(4009, "over limit"), "a third device is too many");
    desk.say("{}").await;
    desk.hear().await;
    again.hear().await;
}
