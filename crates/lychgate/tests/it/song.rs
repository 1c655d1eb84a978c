//! `examples/song.toml` on the wire: rooms for users of another application, with its tokens, its people and its commands.
//!
//! What is laid over the example is where things are: ports, a database, an application, secrets.

mod door;
mod frames;
mod http;
mod lookup;
mod outside;
mod rooms;

use std::fs;

use serde_json::{Value, json};

use self::outside::People;
use crate::harness::token::{self, Signer};
use crate::harness::wire::{self, connect, request};
use crate::harness::{Server, Setup, Wire};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/song.toml");

/// What the other application signs its tokens with.
const THEIRS: &str = "the secret of the application with the people, 8f20";

/// What calls to the application are signed with.
const CALLS: &str = "the secret of calls to the application, 51c07be2";

const MISMATCH: &str = "Unauthorized: User ID mismatch";
const REQUIRED: &str = "Authentication required";
const FAILED: &str = "Authentication failed";

/// The server, and the people whom it asks.
struct Song {
    server: Server,
    people: People,
}

fn example() -> String {
    fs::read_to_string(EXAMPLE).expect("the example is in the repository")
}

fn setup(text: &str) -> Setup {
    Setup::of(text).variable("JWT_SECRET_KEY", THEIRS).variable("SCRAPER_SECRET", CALLS)
}

async fn song() -> Song {
    song_over(&example(), "").await
}

/// The example as `text` has it, with `over` laid over it.
async fn song_over(text: &str, over: &str) -> Song {
    let people = People::of_the_example().await;
    let server = setup(text).over(&people.source()).over(over).start().await;
    Song { server, people }
}

/// A token as the other application makes it, good for ten minutes.
fn theirs(sub: &str) -> String {
    theirs_with(&[("sub", &Value::from(sub).to_string())])
}

/// The same with other claims, each as JSON; an empty one is left out.
fn theirs_with(changes: &[(&str, &str)]) -> String {
    let exp = (token::now() + 600).to_string();
    let mut claims = vec![("sub", "\"123\""), ("exp", exp.as_str())];
    claims.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    claims.extend(changes.iter().filter(|(_, json)| !json.is_empty()));
    let claims: Vec<String> = claims.iter().map(|(name, json)| format!("\"{name}\":{json}")).collect();
    token::forge(
        Signer::Hmac(THEIRS.as_bytes()),
        r#"{"alg":"HS256","typ":"JWT"}"#,
        &format!("{{{}}}", claims.join(",")),
    )
}

impl Song {
    /// Opens `target` with more headers, whatever becomes of it.
    async fn open(&self, target: &str, headers: &str) -> Wire {
        Wire::over(connect(self.server.address).await, &request(target, headers), b"").await
    }

    /// Enters at `target`, and gives what the newcomer is told of itself.
    async fn welcomed(&self, target: &str, headers: &str) -> (Wire, Value) {
        let mut wire = self.open(target, headers).await;
        let joined = wire.hear().await;
        let mut welcome = wire.hear().await;
        assert_eq!((&joined["type"], &welcome["type"]), (&json!("user_joined"), &json!("welcome")), "in this order");
        for id in ["user_id", "room_id"] {
            assert_eq!(joined["data"][id], welcome["data"][id]);
        }
        for frame in [&joined, &welcome] {
            let time = frame["timestamp"].as_str().expect("a time");
            assert!(time.len() == 27 && time.ends_with('Z') && time.contains('T'), "ISO 8601: {time}");
        }
        (wire, welcome["data"].take())
    }

    /// Enters as a user of the application.
    async fn enter(&self, user: &str, room: &str) -> Wire {
        self.welcomed(&format!("/ws/{user}?room_id={room}&token={}", theirs(user)), "").await.0
    }

    /// Enters as a visitor.
    async fn visit(&self, room: &str) -> Wire {
        self.welcomed(&format!("/ws/anonymous?room_id={room}"), "").await.0
    }

    /// What a socket at `target` is closed with. It is accepted first, so that a browser sees it.
    async fn refused(&self, target: &str, headers: &str) -> (u16, String) {
        let mut wire = self.open(target, headers).await;
        let first = wire.frame().await;
        assert_eq!(first.opcode, wire::CLOSE, "{target}: a close was expected: {}", first.show());
        first.close()
    }
}

fn closed(reason: &str) -> (u16, String) {
    (1008, reason.to_owned())
}

/// The next frame, which has to be of this type.
async fn hear(wire: &mut Wire, kind: &str) -> Value {
    let frame = wire.hear().await;
    assert_eq!(frame["type"], kind, "{frame}");
    frame
}

fn chat(message: &str) -> String {
    json!({ "type": "chat", "data": { "message": message } }).to_string()
}

/// Anti-toy: whoever changes a word in the file changes it on the wire.
#[tokio::test]
async fn the_wire_follows_the_file() {
    let mut text = example();
    for (from, to) in [
        ("/ws/{user_id}?room_id={room:name=general}", "/live/{user_id}?raum={room:name=foyer}"),
        ("codec.in.chat]", "codec.in.say]"),
        ("type = \"chat\"", "type = \"said\""),
        ("message = \"{in.data.message}\"", "text = \"{in.data.text}\""),
        ("\"data.message\"", "\"data.text\""),
        ("[1008, \"Unauthorized: User ID mismatch\"]", "[4123, \"not you\"]"),
        ("/api/v1/broadcast/", "/post/"),
        ("source = \"http_api\"", "by = \"http\""),
    ] {
        assert!(text.contains(from), "the example has {from}");
        text = text.replace(from, to);
    }
    let song = song_over(&text, "").await;
    let (mut ann, welcome) = song.welcomed(&format!("/live/123?token={}", theirs("123")), "").await;
    assert_eq!(welcome["room_id"], "foyer");
    ann.say(r#"{"type":"say","data":{"text":"hello"}}"#).await;
    let said = hear(&mut ann, "said").await;
    assert_eq!(said["data"], json!({ "user_id": "123", "text": "hello", "room_id": "foyer" }));
    ann.say(&chat("hello")).await;
    assert_eq!(hear(&mut ann, "error").await["data"]["code"], "unknown_type");
    let target = format!("/live/124?token={}", theirs("123"));
    assert_eq!(song.refused(&target, "").await, (4123, "not you".to_owned()));
    song.post("/post/foyer", r#"{"type":"news","data":{}}"#, &theirs("124")).await;
    assert_eq!(hear(&mut ann, "news").await["by"], "http");
}
