//! What is said in a room is heard by all in it, with its author and its time on it.

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::harness::token::now_exactly;
use crate::harness::wire::{self, FIN, TEXT};
use crate::harness::{Client, Server, Setup, Wire, token};

async fn room() -> Server {
    Setup::ship().start().await
}

/// The version-4 UUID of a message.
fn request_id(message: &Value) -> uuid::Uuid {
    let id = message["requestId"].as_str().and_then(|id| uuid::Uuid::parse_str(id).ok());
    let id = id.unwrap_or_else(|| panic!("no UUID in {message}"));
    assert_eq!(id.get_version_num(), 4, "{message}");
    id
}

#[tokio::test]
async fn everybody_hears_a_message_and_its_sender_too() {
    let server = room().await;
    let mut alice = Client::enter(&server, "alice").await;
    let mut bob = Client::enter(&server, "bob").await;
    let before = now_exactly();
    alice.say(r#"{"type":"note","payload":{"message":"Hello"}}"#).await;
    let heard = [alice.hear_text().await, bob.hear_text().await];
    assert_eq!(heard[0], heard[1], "all receivers get the same bytes");

    let message: Value = serde_json::from_str(&heard[0]).expect("JSON");
    assert_eq!(message["type"], "note");
    assert_eq!(message["payload"]["message"], "Hello");
    assert_eq!(message["user"], "alice");
    let time = message["timestamp"].as_f64().expect("a number");
    assert!(message["timestamp"].is_f64(), "seconds with a fraction: {message}");
    assert!(time >= before - 0.001 && time <= now_exactly() + 0.001, "{time} lies outside {before}..now");
    let first = request_id(&message);

    bob.say("{}").await;
    let message = alice.hear().await;
    assert_eq!(message["user"], "bob");
    assert_ne!(request_id(&message), first, "each message has an id of its own");
    assert_eq!(bob.hear().await, message);
    assert_eq!(server.metrics().await.value("lychgate_messages_received_total", &[("endpoint", "ws")]), 2);
}

#[tokio::test]
async fn nobody_speaks_as_somebody_else() {
    let server = room().await;
    let mut alice = Client::enter(&server, "alice").await;
    let mut bob = Client::enter(&server, "bob").await;
    let forged = [
        r#"{"user":"bob","n":1}"#,
        r#"{"us\u0065r":"bob","n":1}"#,
        r#"{"\u0075\u0073\u0065\u0072":"bob","n":1}"#,
        r#"{"n":1,"timestamp":0,"requestId":"mine","user":{"name":"bob"}}"#,
        r#"{"\u0074imestamp":0,"request\u0049d":"mine","user":null,"n":1}"#,
    ];
    for text in forged {
        alice.say(text).await;
        let raw = bob.hear_text().await;
        let message: Value = serde_json::from_str(&raw).expect("JSON");
        assert_eq!(message["user"], "alice", "{text}");
        assert_eq!(message["n"], 1, "{text}");
        assert!(message["timestamp"].as_f64().is_some_and(|time| time > 1e9), "{text}");
        request_id(&message);
        assert!(!raw.contains("bob") && !raw.contains("mine"), "{text} became {raw}");
        assert_eq!(raw.matches(r#""user""#).count(), 1, "{raw}");
        assert_eq!(alice.hear_text().await, raw);
    }
    // What only looks like our names is the client's own.
    alice.say(r#"{"User":"bob","payload":{"user":"bob"}}"#).await;
    let message = bob.hear().await;
    assert_eq!((&message["User"], &message["payload"]["user"]), (&"bob".into(), &"bob".into()));
}

#[tokio::test]
async fn identity_comes_from_the_token_alone() {
    let server = room().await;
    let token = token::own("alice");
    let claims = ["user_id=bob", "user=bob&sub=bob", "username=bob&id=2"];
    for claim in claims {
        let mut alice = Client::open(server.address, &format!("/ws?{claim}&token={token}")).await;
        alice.say(r#"{"n":1}"#).await;
        assert_eq!(alice.hear().await["user"], "alice", "{claim}");
    }
    let odd = r#"o'hara "the gate" \ 名前"#;
    let mut client = Client::enter(&server, odd).await;
    client.say("{}").await;
    assert_eq!(client.hear().await["user"], odd, "a name is escaped, whatever is in it");
}

#[tokio::test]
async fn what_is_not_ours_passes_byte_for_byte() {
    let server = room().await;
    let mut alice = Client::enter(&server, "alice").await;
    let values = [
        "1.50",
        "1e400",
        "-0",
        "-0.0",
        "12345678901234567890123",
        "1E+2",
        r#""\ud83d\ude00 \u00e9 é""#,
        r#""\ud800""#,
        r#"{"b":1,"a":[ 1 , 2.0 ]}"#,
        "null",
        r#""</script>\/""#,
    ];
    for value in values {
        alice.say(&format!(r#"{{"n":{value},"m":1}}"#)).await;
        let raw = alice.hear_text().await;
        assert!(raw.starts_with(&format!(r#"{{"n":{value},"m":1,"#)), "{value} became {raw}");
    }
}

#[tokio::test]
async fn what_is_no_object_is_answered_to_its_sender_alone() {
    let server = room().await;
    let mut alice = Client::enter(&server, "alice").await;
    let mut bob = Client::enter(&server, "bob").await;
    let deep = format!(r#"{{"a":{}1{}}}"#, "[".repeat(64), "]".repeat(64));
    let texts = [
        "",
        " ",
        "hello",
        "{",
        r#"{"a":1"#,
        r#"{"a":1}x"#,
        r#"{"a":1}{"b":2}"#,
        "{'a':1}",
        r#"{"a":01}"#,
        r#"{"a":NaN}"#,
        "[]",
        r#"[{"a":1}]"#,
        r#""text""#,
        "1",
        "true",
        "null",
        r#"{"a":1,"a":2}"#,
        r#"{"a":1,"\u0061":2}"#,
        r#"{"user":1,"us\u0065r":2}"#,
        r#"{"\ud800":1}"#,
        &deep,
    ];
    let mut faults: Vec<Message> = texts.into_iter().map(Message::text).collect();
    faults.push(Message::binary(br#"{"a":1}"#.to_vec()));
    let count = faults.len();
    for (n, fault) in faults.into_iter().enumerate() {
        let shown = format!("{fault:?}");
        alice.send(fault).await;
        let answer = alice.hear().await;
        assert_eq!(answer["type"], "error", "{shown}: {answer}");
        let message = answer["payload"]["message"].as_str().unwrap_or_default();
        assert!(!message.is_empty() && message.len() < 200, "{shown}: {answer}");
        // The next thing that the other one hears is the next good message.
        alice.say(&format!(r#"{{"n":{n}}}"#)).await;
        assert_eq!(bob.hear().await["n"], n, "{shown}");
        assert_eq!(alice.hear().await["n"], n, "{shown}");
    }
    let metrics = server.metrics().await;
    let labels = [("endpoint", "ws"), ("reason", "bad_frame")];
    assert_eq!(metrics.value("lychgate_messages_refused_total", &labels), count as u64);
    assert_eq!(metrics.value("lychgate_connections", &[("endpoint", "ws")]), 2, "nobody was closed for it");
}

#[tokio::test]
async fn three_publishers_are_heard_in_order_and_by_all_in_the_same_order() {
    const EACH: usize = 200;
    let server = Setup::ship().over("[limits]\nmessages_per_second = 10000\nmessages_burst = 10000").start().await;
    let mut listener = Client::enter(&server, "listener").await;
    let names = ["ada", "ben", "cleo"];
    let mut publishers = join_all(names.map(|name| Client::enter(&server, name))).await;

    let publishing = join_all(publishers.iter_mut().map(async |publisher| {
        let mut heard = Vec::new();
        for n in 0..EACH {
            publisher.say(&format!(r#"{{"n":{n}}}"#)).await;
            // Reading as it goes, as a browser does.
            heard.push(publisher.hear_text().await);
        }
        while heard.len() < EACH * names.len() {
            heard.push(publisher.hear_text().await);
        }
        heard
    }));
    let listening = async {
        let mut heard = Vec::new();
        while heard.len() < EACH * names.len() {
            heard.push(listener.hear_text().await);
        }
        heard
    };
    let (heard_by_publishers, heard) = tokio::join!(publishing, listening);
    for other in &heard_by_publishers {
        assert!(*other == heard, "two members of the room heard different orders");
    }
    for name in names {
        let of_one = heard.iter().map(|text| serde_json::from_str::<Value>(text).expect("JSON"));
        let order: Vec<_> =
            of_one.filter(|message| message["user"] == name).map(|message| message["n"].clone()).collect();
        assert_eq!(order, (0..EACH).map(Value::from).collect::<Vec<_>>(), "{name}");
    }
}

#[tokio::test]
async fn a_client_that_says_one_thing_and_hangs_up_still_gets_its_answer() {
    let server = room().await;
    let mut bob = Client::enter(&server, "bob").await;
    let message = wire::frame(FIN | TEXT, br#"{"type":"test","payload":{"message":"Hello"}}"#);
    for behind_the_request in [false, true] {
        let both = [message.clone(), wire::close(1000, "")].concat();
        let target = Server::at("/ws", "alice");
        let mut alice = if behind_the_request {
            let tcp = wire::connect(server.address).await;
            Wire::over(tcp, &wire::request(&target, ""), &both).await
        } else {
            let mut alice = Wire::open(server.address, &target).await;
            alice.write(&both).await;
            alice
        };
        assert_eq!(alice.hear().await["payload"]["message"], "Hello");
        assert_eq!(alice.closed().await, (1000, String::new()));
        alice.ended().await;
        assert_eq!(bob.hear().await["user"], "alice");
    }
}

#[tokio::test]
async fn who_left_is_no_longer_in_the_room_and_who_comes_back_is() {
    let server = room().await;
    let mut alice = Client::enter(&server, "alice").await;
    let bob = Wire::enter(&server, "/ws", "bob").await;
    bob.leave().await;
    alice.say(r#"{"n":1}"#).await;
    assert_eq!(alice.hear().await["n"], 1);
    let mut bob = Client::enter(&server, "bob").await;
    alice.say(r#"{"n":2}"#).await;
    assert_eq!(bob.hear().await["n"], 2, "nothing of the time away, and everything since");
}

/// Those who write to sockets do so in as many threads as there are; most have nothing to do with one conversation.
#[tokio::test]
async fn one_who_speaks_alone_waits_for_no_idle_thread() {
    let server = Setup::ship().over("[server]\nworkers = 4\n").start().await;
    let mut ann = Wire::enter(&server, "/ws", "ann").await;
    let text = "x".repeat(16_000);
    // More than the threshold at which publishers are held back until sockets have caught up.
    for n in 0..60 {
        ann.say(&json!({ "n": n, "text": text }).to_string()).await;
        assert_eq!(ann.hear().await["n"], n);
    }
}
