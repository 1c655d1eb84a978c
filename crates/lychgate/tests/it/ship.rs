//! One room, from `examples/ship.toml`: its contract by the words of its own tests, and clients of the shapes that it has.
//!
//! What is laid over the example beside ports and secrets is what its guide says, taken from there.
//!
//! **Absent on purpose:** what the room does with messages; that is tested in `broadcast`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::application::SECRET as APPLICATION_SECRET;
use crate::harness::http::{form, get, post, post_form};
use crate::harness::token::{self, Signer, claims, forge, header, own, own_until, sign, unpart};
use crate::harness::wire::{self, request};
use crate::harness::{Application, Client, Server, Setup, Wire};

const GUIDE: &str = include_str!("../../../../docs/guide/systems/ship.md");

/// The configuration in the guide's section `title`.
fn guided(title: &str) -> &'static str {
    let section = GUIDE.split(&format!("\n## {title}\n")).nth(1).expect("the guide has the section");
    let block = section.split("```toml\n").nth(1).expect("the section has a configuration");
    block.split("```").next().expect("it ends")
}

fn told(reason: &str) -> (u16, String) {
    (1008, reason.to_owned())
}

async fn log_in(server: &Server, name: &str, password: &str) -> crate::harness::http::Reply {
    post_form(server.address, "/token", &form(&[("username", name), ("password", password)]), "").await
}

#[tokio::test]
async fn valid_credentials_give_a_token_that_opens_the_room() {
    let server = Setup::ship().user("user", "seven green bottles").start().await;
    let reply = log_in(&server, "user", "seven green bottles").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let mut answer = reply.json();
    let token = answer["access_token"].take().as_str().expect("a token").to_owned();
    assert_eq!(answer, json!({ "access_token": null, "token_type": "bearer", "expires_in": 1800 }));
    let claims = unpart(token.split('.').nth(1).expect("three parts"));
    assert_eq!(claims["sub"], "user");
    assert_eq!(claims["exp"].as_u64().expect("exp") - claims["iat"].as_u64().expect("iat"), 1800);
    let mut client = Client::open(server.address, &format!("/ws?token={token}")).await;
    client.say(r#"{"type":"test","payload":{"message":"Hello"}}"#).await;
    assert_eq!(client.hear().await["user"], "user", "there is no welcome: the first frame is one's own");

    for (case, name, password) in [("invalid password", "user", "wrong"), ("unknown user", "nobody", "wrong")] {
        let reply = log_in(&server, name, password).await;
        assert_eq!((reply.status, reply.header("www-authenticate")), (401, Some("Bearer")), "{case}");
        assert_eq!(reply.json()["detail"], "Incorrect username or password", "{case}");
    }
}

#[tokio::test]
async fn missing_invalid_expired_and_malformed_tokens_are_refused_with_1008() {
    let server = Setup::ship().start().await;
    // The token that was printed for everybody, without an end.
    let printed =
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyIn0.dNsYhOKsYlKZzUmOJl8Zpf9SbJ4DJxhd3AU6pO-PWko";
    for (case, token, reason) in [
        ("missing", String::new(), "Missing authentication token"),
        ("invalid", "invalid.token.here".to_owned(), "Invalid or expired token"),
        ("malformed", "malformed".to_owned(), "Invalid or expired token"),
        ("expired", own_until("user", token::now() - 100), "Invalid or expired token"),
        (
            "of another secret",
            forge(Signer::Hmac(b"another secret altogether, 32 bytes"), &header(&[]), &claims(&[])),
            "Invalid or expired token",
        ),
        ("printed", printed.to_owned(), "Invalid or expired token"),
        ("without an end", sign(&header(&[]), &claims(&[("exp", "")])), "Invalid token payload"),
        ("without sub", sign(&header(&[]), &claims(&[("sub", "")])), "Invalid token payload"),
        ("with an empty sub", sign(&header(&[]), &claims(&[("sub", r#""""#)])), "Invalid token payload"),
    ] {
        let mut wire = Wire::open(server.address, &format!("/ws?token={token}")).await;
        assert_eq!(wire.closed_politely().await, told(reason), "{case}");
    }
    let mut bare = Wire::open(server.address, "/ws").await;
    assert_eq!(bare.closed_politely().await, told("Missing authentication token"));
    // What is said of oneself beside the token lets nobody in, and nobody in as somebody else.
    let mut claimed = Wire::open(server.address, "/ws?session_id=7&user=user&username=user").await;
    assert_eq!(claimed.closed_politely().await, told("Missing authentication token"));
    let mut inside = Wire::open(server.address, &format!("{}&session_id=7&user=bob", Server::at("/ws", "user"))).await;
    inside.say("{}").await;
    assert_eq!(inside.hear().await["user"], "user");
}

/// The command line's client: log in, or take the token for trials; send one frame and wait for one.
async fn command_line(
    server: &Server,
    user: Option<(&str, &str)>,
    kind: &str,
    payload: Value,
) -> Result<Value, String> {
    let token = match user {
        Some((name, password)) => log_in(server, name, password).await.json()["access_token"].clone(),
        None => get(server.address, "/test-token").await.json()["test_token"].clone(),
    };
    let token = token.as_str().ok_or("no token")?.to_owned();
    let mut client = Client::open(server.address, &format!("/ws?token={token}")).await;
    client.say(&json!({ "type": kind, "payload": payload }).to_string()).await;
    let answer = client.hear_or_closed().await.map_err(|(code, reason)| format!("{code} {reason}"));
    server.log().never_holds(&token);
    answer
}

#[tokio::test]
async fn the_command_line_client_gets_an_answer_to_every_frame() {
    let server = Setup::ship().user("user", "seven green bottles").start().await;
    let answer =
        command_line(&server, Some(("user", "seven green bottles")), "test", json!({ "message": "Hello" })).await;
    assert_eq!(answer.expect("an answer")["payload"], json!({ "message": "Hello" }));
    assert_eq!(command_line(&server, Some(("user", "wrong")), "test", json!({})).await, Err("no token".to_owned()));
    assert_eq!(get(server.address, "/test-token").await.status, 404, "there is none outside of development");

    let dev = Setup::dev().start().await;
    let page = get(dev.address, "/test-token").await.json();
    assert!(page["note"].is_string(), "{page}");
    assert_eq!(command_line(&dev, None, "test", json!({ "n": 1 })).await.expect("an answer")["user"], "user");
    let answer = command_line(&dev, Some(("user", "password")), "test", json!({ "n": 2 })).await;
    assert_eq!(answer.expect("an answer")["payload"]["n"], 2, "the documented password is the password");
}

/// What the page's hook shows: `connecting`, `connected`, `disconnected`.
#[derive(Debug, PartialEq, Eq)]
enum Status {
    Connected,
    Disconnected,
}

/// `useWebSocket(url, { token })`: the token is put behind the address as it is.
async fn use_web_socket(server: &Server, url: &str, token: &str) -> (Status, Client) {
    let client = Client::open(server.address, &format!("{url}?token={token}")).await;
    (Status::Connected, client)
}

/// `dispatchMessageByType`: the name of the handler for a frame, with what it is called with.
fn dispatch(frame: &Value) -> (String, Vec<Value>) {
    let payload = &frame["payload"];
    match frame["type"].as_str().expect("a type") {
        "quote_ready" => ("onRateResponse".to_owned(), vec![payload.clone()]),
        "error" => ("onError".to_owned(), vec![payload["message"].clone(), payload["original_request"].clone()]),
        kind => {
            let words = kind.split(['_', '-']).map(|word| word[..1].to_uppercase() + &word[1..]);
            (format!("on{}", words.collect::<String>()), vec![payload.clone()])
        }
    }
}

#[tokio::test]
async fn the_pages_hook_needs_no_more_than_an_address_and_a_token() {
    let server = Setup::ship().start().await;
    let (status, mut page) = use_web_socket(&server, "/ws", &own("alice")).await;
    assert_eq!(status, Status::Connected);
    page.say(&json!({ "type": "rate-update", "payload": { "n": 1 } }).to_string()).await;
    assert_eq!(dispatch(&page.hear().await), ("onRateUpdate".to_owned(), vec![json!({ "n": 1 })]));
    page.say("no JSON").await;
    let (handler, arguments) = dispatch(&page.hear().await);
    assert_eq!((handler.as_str(), arguments[0].is_string()), ("onError", true));
    let (_, mut refused) = use_web_socket(&server, "/ws", "undefined").await;
    let status = refused.hear_or_closed().await.map_err(|closed| (Status::Disconnected, closed));
    assert_eq!(status, Err((Status::Disconnected, told("Invalid or expired token"))));
}

#[tokio::test]
async fn a_command_line_may_see_a_refusal_as_a_status() {
    let server = Setup::ship().over(guided("Tools that should see a refusal as a status")).start().await;
    for target in ["/ws", "/ws?token=invalid.token.here"] {
        assert_eq!(wire::ask(server.address, &request(target, "")).await.status, 401, "{target}");
    }
    assert_eq!(wire::ask(server.address, &request(&Server::at("/ws", "alice"), "")).await.status, 101);
}

#[tokio::test]
async fn in_the_later_form_requests_are_answered_to_their_sender() {
    let application = Application::bind().await;
    let own_address = format!("[source.quotes]\nurl = \"{}\"\n", application.url());
    let setup = Setup::ship().over(guided("Requests that are answered to the sender")).over(&own_address);
    let server = setup.variable("APPLICATION_SECRET", APPLICATION_SECRET).start().await;
    let mut alice = Client::enter(&server, "alice").await;
    let mut bob = Client::enter(&server, "bob").await;

    alice.say(r#"{"type":"ping","requestId":"r1","user":"bob"}"#).await;
    let mut pong = alice.hear().await;
    assert!(pong["timestamp"].take().is_f64());
    let wanted = json!({ "type": "pong", "payload": { "message": "pong" }, "user": "alice", "timestamp": null, "requestId": "r1" });
    assert_eq!(pong, wanted);
    alice.say(r#"{"type":"ping"}"#).await;
    assert_eq!(alice.hear().await["requestId"].as_str().map(str::len), Some(36), "an id of its own where none came");

    let unknown = json!({ "type": "sing", "payload": { "song": 1.50 }, "requestId": "r2" });
    alice.say(&unknown.to_string()).await;
    let error = alice.hear().await;
    assert_eq!((&error["type"], &error["requestId"]), (&json!("error"), &json!("r2")));
    assert_eq!(error["payload"], json!({ "message": "Unsupported message type: sing", "original_request": unknown }));
    let (handler, arguments) = dispatch(&error);
    assert_eq!((handler.as_str(), &arguments[1]), ("onError", &unknown));

    alice.say(r#"{"type":"quote_request","payload":{"to":"90210"},"requestId":"r3"}"#).await;
    let call = application.call().await;
    assert_eq!(call.body["frame"]["payload"], json!({ "to": "90210" }));
    assert_eq!(call.body["user"]["id"], "alice");
    call.answer(200, r#"{"rates":[1.25]}"#).await;
    let quote = alice.hear().await;
    assert_eq!((&quote["type"], &quote["requestId"]), (&json!("quote_ready"), &json!("r3")));
    assert_eq!(dispatch(&quote), ("onRateResponse".to_owned(), vec![json!({ "rates": [1.25] })]));

    // All the while the others heard nothing: this is the first that Bob hears.
    alice.say(r#"{"type":"announcement","payload":"tea","user":"bob"}"#).await;
    let heard = bob.hear().await;
    assert_eq!(
        (&heard["type"], &heard["payload"], &heard["user"]),
        (&json!("announcement"), &json!("tea"), &json!("alice"))
    );
    assert_eq!(alice.hear().await, heard);
}

#[tokio::test]
async fn send_message_is_a_route_behind_a_token() {
    let server = Setup::ship().over(guided("Publishing by HTTP")).start().await;
    let mut alice = Client::enter(&server, "alice").await;
    let send = async |token: &str, body: &str| {
        let headers = if token.is_empty() { String::new() } else { format!("authorization: Bearer {token}\r\n") };
        post(server.address, "/send-message", body, &headers).await
    };
    let body = r#"{"type":"note","payload":{"n":1},"user":"alice"}"#;
    for (case, token) in [
        ("missing", String::new()),
        ("invalid", "invalid.token.here".to_owned()),
        ("expired", own_until("bob", token::now() - 100)),
    ] {
        let reply = send(&token, body).await;
        assert_eq!(reply.status, 401, "{case}: {reply:?}");
        assert!(reply.header("www-authenticate").is_some(), "{case}");
    }
    for bad in ["", "[1]", "no JSON", r#"{"a":1,"a":2}"#] {
        assert_eq!(send(&own("bob"), bad).await.status, 400, "{bad:?}");
    }
    assert_eq!(post(server.address, &format!("/send-message?token={}", own("bob")), body, "").await.status, 401);
    assert_eq!(send(&own("bob"), body).await.status, 202);
    let heard = alice.hear().await;
    assert_eq!(
        (&heard["user"], &heard["payload"]),
        (&json!("bob"), &json!({ "n": 1 })),
        "the first thing that is heard"
    );
    assert_eq!(get(server.address, "/send-message").await.status, 405);
    let open = Setup::ship().start().await;
    assert_eq!(post(open.address, "/send-message", body, "").await.status, 404, "where nobody wrote it there is none");
}

#[tokio::test]
async fn expiry_is_respected_while_the_socket_is_open() {
    let server = Setup::ship().over("[tokens]\nlifetime = \"2s\"\n").user("user", "seven green bottles").start().await;
    let answer = log_in(&server, "user", "seven green bottles").await.json();
    assert_eq!(answer["expires_in"], 2);
    let token = answer["access_token"].as_str().expect("a token");
    let mut wire = Wire::open(server.address, &format!("/ws?token={token}")).await;
    let closed = tokio::time::timeout(Duration::from_secs(10), wire.closed_politely()).await;
    assert_eq!(closed.expect("the end of the token"), told("Invalid or expired token"));
}

#[tokio::test]
async fn other_words_in_the_file_are_other_words_on_the_wire() {
    let mut text = std::fs::read_to_string(crate::harness::server::SHIP).expect("the example is in the repository");
    for (from, to) in [
        ("path = \"/ws\"", "path = \"/room\""),
        ("path = \"/token\"", "path = \"/in\""),
        ("query:token", "query:key"),
        ("user = \"user.name\"", "author = \"user.name\""),
        ("missing = [1008, \"Missing authentication token\"]", "missing = [4401, \"Who are you?\"]"),
    ] {
        assert!(text.contains(from), "the example has {from}");
        text = text.replace(from, to);
    }
    let answer = "[endpoint.ws.codec]\nanswer_ping = true\n";
    let server = Setup::of(&text).over(answer).user("user", "seven green bottles").start().await;
    let mut nobody = Wire::open(server.address, &Server::at("/room", "user")).await;
    assert_eq!(nobody.closed_politely().await, (4401, "Who are you?".to_owned()), "token is no name of a key any more");
    let body = form(&[("username", "user"), ("password", "seven green bottles")]);
    let reply = post_form(server.address, "/in", &body, "").await.json();
    let token = reply["access_token"].as_str().expect("a token");
    let mut user = Client::open(server.address, &format!("/room?key={token}")).await;
    user.say(r#"{"author":"me","user":"me"}"#).await;
    let heard = user.hear().await;
    assert_eq!((&heard["author"], &heard["user"]), (&json!("user"), &json!("me")));
    assert_eq!(wire::ask(server.address, &request("/ws", "")).await.status, 404);
}
