//! What a configuration says about a room, the wire does.

use std::fs;

use crate::harness::http::{form, post_form};
use crate::harness::server::SHIP;
use crate::harness::wire::{self, BINARY, CLOSE, FIN, TEXT};
use crate::harness::{Client, Setup, Wire, token};

/// The shipped example in other words: each pair stands in it once and is replaced.
fn rewritten(changes: &[(&str, &str)]) -> Setup {
    let mut text = fs::read_to_string(SHIP).expect("the example is in the repository");
    for (from, to) in changes {
        assert_eq!(text.matches(from).count(), 1, "the example says {from:?} once");
        text = text.replace(from, to);
    }
    Setup::of(&text)
}

#[tokio::test]
async fn the_wire_follows_the_file() {
    let changes = [
        ("path = \"/token\"", "path = \"/session/new\""),
        ("path = \"/ws\"", "path = \"/v2/live\""),
        ("\"query:token\"", "\"query:ticket\""),
        ("user = \"user.name\"", "author = \"user.name\""),
        ("timestamp = \"now.unix\"", "at = \"now.iso\""),
        ("requestId = \"uuid\"", "ref = \"uuid\""),
        ("missing = [1008, \"Missing authentication token\"]", "missing = [4401, \"who are you?\"]"),
        ("invalid = [1008, \"Invalid or expired token\"]", "invalid = [4403, \"not you\"]"),
        ("payload = [1008, \"Invalid token payload\"]", "payload = [4400, \"say your name\"]"),
    ];
    let server = rewritten(&changes).user("alice", "seven green bottles").start().await;
    let login = form(&[("username", "alice"), ("password", "seven green bottles")]);
    assert_eq!(post_form(server.address, "/token", &login, "").await.status, 404);
    let answer = post_form(server.address, "/session/new", &login, "").await.json();
    let token = answer["access_token"].as_str().expect("a token");

    let mut alice = Client::open(server.address, &format!("/v2/live?ticket={token}")).await;
    alice.say(r#"{"user":"bob","author":"bob","n":1}"#).await;
    let message = alice.hear().await;
    assert_eq!((&message["author"], &message["user"]), (&"alice".into(), &"bob".into()), "{message}");
    let time = message["at"].as_str().expect("text");
    assert!(time.parse::<jiff::Timestamp>().is_ok() && time.ends_with('Z'), "{time}");
    assert!(message["ref"].is_string() && message.get("timestamp").is_none() && message.get("requestId").is_none());

    let nameless = token::sign(&token::header(&[]), &token::claims(&[("sub", "")]));
    let refusals = [
        (format!("/v2/live?token={token}"), 4401, "who are you?"),
        ("/v2/live?ticket=x".to_owned(), 4403, "not you"),
        (format!("/v2/live?ticket={nameless}"), 4400, "say your name"),
    ];
    for (target, code, reason) in refusals {
        let mut wire = Wire::open(server.address, &target).await;
        assert_eq!(wire.closed().await, (code, reason.to_owned()), "{target}");
    }
}

#[tokio::test]
async fn two_endpoints_of_one_channel_share_it_and_two_channels_share_nothing() {
    let server = Setup::ship()
        .over(
            "[endpoint.door]\npath = \"/door\"\nchannel = \"all\"\nprofile = \"policy\"\n\
             [endpoint.door.codec]\nstamp = { by = \"user.id\" }\n\
             [endpoint.attic]\npath = \"/attic\"\nchannel = \"attic\"\nprofile = \"policy\"",
        )
        .start()
        .await;
    let mut hall = Wire::enter(&server, "/ws", "alice").await;
    let mut door = Wire::enter(&server, "/door", "bob").await;
    let mut attic = Wire::enter(&server, "/attic", "cleo").await;
    door.say(r#"{"n":1}"#).await;
    assert_eq!(door.hear().await, serde_json::json!({ "n": 1, "by": "bob" }));
    assert_eq!(hall.hear().await, serde_json::json!({ "n": 1, "by": "bob" }));
    attic.say(r#"{"n":2}"#).await;
    assert_eq!(attic.hear().await, serde_json::json!({ "n": 2 }), "without stamps the object is as it came");
    hall.say(r#"{"n":3}"#).await;
    for wire in [&mut hall, &mut door] {
        let message = wire.hear().await;
        assert_eq!((&message["n"], &message["user"]), (&3.into(), &"alice".into()), "nothing of the attic came before");
    }
}

#[tokio::test]
async fn a_ping_message_is_answered_where_the_codec_says_so() {
    let ping = r#"{"type":"ping","payload":{"x":1}}"#;

    let server = Setup::ship().over("[endpoint.ws.codec]\nanswer_ping = true").start().await;
    let mut alice = Client::enter(&server, "alice").await;
    let mut bob = Client::enter(&server, "bob").await;
    alice.say(ping).await;
    let pong = alice.hear().await;
    assert_eq!(
        (&pong["type"], &pong["payload"]["message"], &pong["user"]),
        (&"pong".into(), &"pong".into(), &"alice".into())
    );
    alice.say(r#"{"payload":{"type":"ping"},"n":1}"#).await;
    assert_eq!(bob.hear().await["n"], 1, "the ping went no further, and only the top level counts");

    let server = Setup::ship().start().await;
    let mut alice = Client::enter(&server, "alice").await;
    let mut bob = Client::enter(&server, "bob").await;
    alice.say(ping).await;
    assert_eq!(bob.hear().await["type"], "ping", "off in the example: it is a message like any other");
    assert_eq!(alice.hear().await["type"], "ping");
}

#[tokio::test]
async fn a_bad_frame_is_ignored_or_ends_the_socket_where_the_codec_says_so() {
    let bad = [(TEXT, "[1]"), (TEXT, "no"), (TEXT, r#"{"a":1,"a":2}"#), (BINARY, "{}")];

    let server = Setup::ship().over("[endpoint.ws.codec]\nbad_frame = \"ignore\"").start().await;
    let mut alice = Wire::enter(&server, "/ws", "alice").await;
    for (opcode, text) in bad {
        alice.write(&wire::frame(FIN | opcode, text.as_bytes())).await;
    }
    alice.say(r#"{"n":1}"#).await;
    assert_eq!(alice.hear().await["n"], 1, "the first answer is to the first good message");

    let server = Setup::ship()
        .over("[endpoint.ws.codec]\nbad_frame = \"close\"\n[profile.policy]\nbad_frame = [4422, \"objects only\"]")
        .start()
        .await;
    let mut bob = Wire::enter(&server, "/ws", "bob").await;
    for (n, (opcode, text)) in bad.into_iter().enumerate() {
        let mut alice = Wire::enter(&server, "/ws", "alice").await;
        let good = wire::frame(FIN | TEXT, format!(r#"{{"n":{n}}}"#).as_bytes());
        let bad = wire::frame(FIN | opcode, text.as_bytes());
        let after = wire::frame(FIN | TEXT, br#"{"n":"too late"}"#);
        alice.write(&[good, bad, after].concat()).await;
        assert_eq!(alice.hear().await["n"], n, "what came before it is heard");
        assert_eq!(alice.closed().await, (4422, "objects only".to_owned()), "{text}");
        assert_eq!(bob.hear().await["n"], n, "and nothing that came after it");
    }
    assert_eq!(server.metrics().await.value("lychgate_closes_total", &[("event", "bad_frame")]), 4);
}

#[tokio::test]
async fn who_talks_too_much_is_told_and_then_closed() {
    let server = Setup::ship()
        .over(
            "[endpoint.ws]\nmessages_per_second = 1\nmessages_burst = 3\n\
             [profile.policy]\nrate = [4029, \"slow down\"]",
        )
        .start()
        .await;
    let mut bob = Client::enter(&server, "bob").await;
    let mut alice = Wire::enter(&server, "/ws", "alice").await;
    let message = wire::frame(FIN | TEXT, br#"{"n":1}"#);
    alice.write(&message.repeat(200)).await;
    let (mut delivered, mut refused) = (0, 0);
    let close = loop {
        let frame = alice.frame().await;
        if frame.opcode == CLOSE {
            break frame.close();
        }
        let answer: serde_json::Value = serde_json::from_slice(&frame.payload).expect("JSON");
        if answer["type"] == "error" { refused += 1 } else { delivered += 1 }
    };
    assert_eq!(close, (4029, "slow down".to_owned()));
    // A second more or less on a busy machine lets one more through, and answers one more.
    assert!((3..=13).contains(&delivered), "{delivered} delivered");
    assert!((100..=110).contains(&refused), "{refused} refused");
    for _ in 0..delivered {
        assert_eq!(bob.hear().await["user"], "alice");
    }
    bob.say(r#"{"n":2}"#).await;
    assert_eq!(bob.hear().await["n"], 2, "another's allowance is untouched");
    assert_eq!(server.metrics().await.value("lychgate_closes_total", &[("event", "rate")]), 1);
}
