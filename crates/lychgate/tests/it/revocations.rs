//! What is revoked is out at once and stays out: by token, by session, by user, by age, for a time.
//!
//! Tokens here are minted by the test, as another issuer of the same key would; nothing is known of them before they come.

mod burst;
mod stale;

use std::env;
use std::time::Instant;

use futures_util::future::join_all;
use serde_json::json;

use crate::harness::http::{exchange, form, post_form};
use crate::harness::token::{self, claims, header, now, sign};
use crate::harness::{Client, Server, Setup};

const PASSWORD: &str = "seven green bottles";

const CONFIG: &str = r#"
[sessions]
refresh_tokens = true

[revocations]
read_every = "100ms"

[login]
failures_per_minute_per_address = 1000000

[ticket]
enabled = true

[limits]
connections_per_user = 10000
connections_per_address = 10000
connects_per_second_per_address = 1000000
connects_burst_per_address = 1000000

[endpoint.room]
path = "/room"
channel = "room"
credentials = ["query:token", "ticket:ticket"]

[endpoint.late]
path = "/late"
channel = "room"
credentials = ["message:auth"]

[endpoint.many]
kind = "channels"
path = "/many"
credentials = ["query:token"]

[namespace.news]
channel = "news"
policy = { rule = "any" }

[namespace.paid]
channel = "paid"
policy = { rule = "token" }
"#;

const REVOKED: (u16, &str) = (3503, "revoked");

/// A token whose marks the test knows.
#[derive(Clone)]
struct Marked {
    text: String,
}

impl Marked {
    fn of(sub: &str, jti: &str, sid: &str, issued_at: u64) -> Self {
        let text = |text: &str| json!(text).to_string();
        let exp = (issued_at.max(now()) + 600).to_string();
        let marks =
            [("sub", text(sub)), ("jti", text(jti)), ("sid", text(sid)), ("iat", issued_at.to_string()), ("exp", exp)];
        let marks: Vec<_> = marks.iter().map(|(name, json)| (*name, json.as_str())).collect();
        Self { text: sign(&header(&[]), &claims(&marks)) }
    }
}

async fn enter(server: &Server, token: &Marked) -> Client {
    let mut client = Client::open(server.address, &format!("/room?token={}", token.text)).await;
    client.entered().await;
    client
}

async fn stays_out(server: &Server, token: &Marked) {
    let mut client = Client::open(server.address, &format!("/room?token={}", token.text)).await;
    assert_eq!(client.closed().await, told(REVOKED));
}

fn told((code, reason): (u16, &str)) -> (u16, String) {
    (code, reason.to_owned())
}

async fn still_there(client: &mut Client) {
    client.say(r#"{"still":"there"}"#).await;
    while client.hear().await["still"] != "there" {}
}

/// Six sockets of which a command concerns some; those are closed and stay out, and the others are as they were.
async fn concerns(arguments: &[&str], concerned: &[&str]) {
    let (server, setup) = Setup::of(CONFIG).user("ann", PASSWORD).start_and_keep().await;
    let (old, new) = (now() - 300, now());
    let all = [
        ("ann-old", Marked::of("ann", "t1", "s1", old)),
        ("ann-new", Marked::of("ann", "t2", "s1", new)),
        ("ann-other", Marked::of("ann", "t3", "s2", new)),
        ("bob-old", Marked::of("bob", "t4", "s3", old)),
        ("bob-new", Marked::of("bob", "t5", "s4", new)),
        // Named like what is revoked of ann, where another kind of name stands.
        ("crafty", Marked::of("t1", "s1", "ann", new)),
    ];
    let mut sockets = Vec::new();
    for (name, token) in &all {
        sockets.push((*name, token, enter(&server, token).await));
    }
    setup.run(arguments);
    for (name, token, socket) in &mut sockets {
        if concerned.contains(name) {
            assert_eq!(socket.closed_after_all().await, told(REVOKED), "{name} after {arguments:?}");
            stays_out(&server, token).await;
        }
    }
    let stays = |name: &str| !concerned.contains(&name);
    for (_, token, _) in sockets.iter().filter(|(name, ..)| stays(name)) {
        drop(enter(&server, token).await);
    }
    for (_, _, socket) in sockets.iter_mut().filter(|(name, ..)| stays(name)) {
        still_there(socket).await;
    }
}

#[tokio::test]
async fn a_token_by_its_id() {
    concerns(&["token", "revoke", "--jti", "t1"], &["ann-old"]).await;
}

#[tokio::test]
async fn a_session_by_its_id() {
    concerns(&["token", "revoke", "--sid", "s1"], &["ann-old", "ann-new"]).await;
}

#[tokio::test]
async fn a_user_with_all_tokens_until_now() {
    concerns(&["token", "revoke", "--user", "ann"], &["ann-old", "ann-new", "ann-other"]).await;
}

#[tokio::test]
async fn a_user_with_old_tokens() {
    concerns(&["token", "revoke", "--user", "ann", "--issued-before", "100s"], &["ann-old"]).await;
}

#[tokio::test]
async fn everybody_with_old_tokens() {
    concerns(&["token", "revoke", "--issued-before", "100s"], &["ann-old", "bob-old"]).await;
}

#[tokio::test]
async fn a_user_for_a_time() {
    concerns(&["user", "block", "ann", "--until", "1h"], &["ann-old", "ann-new", "ann-other"]).await;
}

#[tokio::test]
async fn a_block_keeps_out_tokens_to_come_and_can_be_lifted() {
    let (server, setup) = Setup::of(CONFIG).user("ann", PASSWORD).user("bob", PASSWORD).start_and_keep().await;
    let log_in = async |user: &str| {
        let body = form(&[("username", user), ("password", PASSWORD)]);
        post_form(server.address, "/token", &body, "").await
    };
    let session = log_in("ann").await.json();
    let first = Marked { text: session["access_token"].as_str().expect("a token").to_owned() };
    let mut socket = enter(&server, &first).await;
    setup.run(&["user", "block", "ann", "--until", "2099-01-01T00:00:00Z"]);
    assert_eq!(socket.closed().await, told(REVOKED));
    let reply = log_in("ann").await;
    assert_eq!((reply.status, reply.code().as_str()), (403, "disabled"), "{reply:?}");
    stays_out(&server, &Marked::of("ann", "later", "later", now() + 1)).await;
    let refresh = form(&[
        ("grant_type", "refresh_token"),
        ("refresh_token", session["refresh_token"].as_str().expect("a token")),
    ]);
    let reply = post_form(server.address, "/token", &refresh, "").await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "invalid_grant"), "{reply:?}");
    assert_eq!(log_in("bob").await.status, 200);

    setup.run(&["user", "unblock", "ann"]);
    crate::harness::wait::until("the block to be lifted", async || match log_in("ann").await.status {
        200 => Ok(()),
        status => Err(status.to_string()),
    })
    .await;
    let session = log_in("ann").await.json();
    drop(enter(&server, &Marked { text: session["access_token"].as_str().expect("a token").to_owned() }).await);
}

#[tokio::test]
async fn whoever_came_by_another_way_is_met_too() {
    let (server, setup) = Setup::of(CONFIG).start_and_keep().await;
    let token = Marked::of("ann", "t1", "s1", now());
    let bearer = format!("authorization: Bearer {}\r\n", token.text);
    let ask =
        format!("POST /ws-ticket HTTP/1.1\r\nhost: gate\r\nconnection: close\r\n{bearer}content-length: 0\r\n\r\n");
    let ticket = async || {
        let reply = exchange(server.address, ask.as_bytes()).await;
        (reply.status, reply.json()["ticket"].as_str().map(|ticket| format!("/room?ticket={ticket}")))
    };
    let target = ticket().await.1.expect("a ticket");
    let mut by_ticket = Client::open(server.address, &target).await;
    by_ticket.entered().await;
    let unused = ticket().await.1.expect("a ticket");

    let mut by_message = Client::open(server.address, "/late").await;
    by_message.say(&json!({ "type": "auth", "token": token.text }).to_string()).await;
    by_message.entered().await;
    still_there(&mut by_message).await;

    let mut many = Client::open(server.address, &format!("/many?token={}", token.text)).await;
    many.say(r#"{"id":1,"connect":{}}"#).await;
    assert!(many.hear().await["connect"].is_object());
    let mut many_late = Client::open(server.address, "/many").await;
    many_late.say(&json!({ "id": 1, "connect": { "token": token.text } }).to_string()).await;
    assert!(many_late.hear().await["connect"].is_object());
    // One that has shown a newer token since is out of the old one's reach.
    let mut renewed = Client::open(server.address, "/many").await;
    renewed.say(&json!({ "id": 1, "connect": { "token": token.text } }).to_string()).await;
    assert!(renewed.hear().await["connect"].is_object());
    let newer = Marked::of("ann", "t2", "s2", now());
    renewed.say(&json!({ "id": 2, "refresh": { "token": newer.text } }).to_string()).await;
    assert!(renewed.hear().await["refresh"].is_object());

    let vouch = |jti: &str| {
        let marks = [("sub", "\"ann\""), ("channel", "\"paid\""), ("jti", jti)];
        json!({ "id": 9, "subscribe": { "channel": "paid", "token": sign(&header(&[]), &claims(&marks)) } }).to_string()
    };
    setup.run(&["token", "revoke", "--jti", "t1"]);
    for (what, socket) in [
        ("ticket", &mut by_ticket),
        ("message", &mut by_message),
        ("channels", &mut many),
        ("channels, late", &mut many_late),
    ] {
        assert_eq!(socket.closed_after_all().await, told(REVOKED), "{what}");
    }
    let mut late = Client::open(server.address, &unused).await;
    assert_eq!(late.closed().await, told(REVOKED), "a ticket is no better than its token");
    assert_eq!(ticket().await, (401, None));
    renewed.say(r#"{"id":3,"subscribe":{"channel":"news"}}"#).await;
    assert!(renewed.hear().await["subscribe"].is_object());
    renewed.say(&vouch("\"t1\"")).await;
    assert_eq!(renewed.hear().await["error"]["code"], 103, "a revoked token opens no channel either");
    renewed.say(&vouch("\"t2\"")).await;
    assert!(renewed.hear().await["subscribe"].is_object());
    renewed.say(&json!({ "id": 4, "refresh": { "token": token.text } }).to_string()).await;
    assert_eq!(renewed.closed_after_all().await, told(REVOKED), "a revoked token prolongs nothing");
}

#[tokio::test]
async fn a_token_that_does_not_say_when_it_was_issued_counts_as_old() {
    let issuer = format!(
        "[issuer.app]\nalgorithm = \"HS256\"\nsecret = \"{}\"\nissuer = \"app\"\n",
        "another secret of the same test, 5e9"
    );
    let (server, setup) = Setup::of(CONFIG).over(&issuer).start_and_keep().await;
    let foreign = |sub: &str, iat: &str| {
        let claims = claims(&[
            ("iss", "\"app\""),
            ("aud", ""),
            ("sub", &json!(sub).to_string()),
            ("iat", iat),
            ("jti", ""),
            ("sid", ""),
        ]);
        let header = header(&[("typ", "\"JWT\"")]);
        Marked { text: token::forge(token::Signer::Hmac(b"another secret of the same test, 5e9"), &header, &claims) }
    };
    let (mut dated, mut undated) =
        (enter(&server, &foreign("ann", &now().to_string())).await, enter(&server, &foreign("ann", "")).await);
    let mut other = enter(&server, &foreign("bob", "")).await;
    setup.run(&["token", "revoke", "--user", "ann", "--issued-before", "100s"]);
    assert_eq!(undated.closed_after_all().await, told(REVOKED));
    stays_out(&server, &foreign("ann", "")).await;
    still_there(&mut dated).await;
    still_there(&mut other).await;
}

#[tokio::test]
async fn as_many_are_kept_as_are_allowed() {
    let (server, setup) =
        Setup::of(CONFIG).over("[revocations]\nentries_max = 2").user("ann", PASSWORD).start_and_keep().await;
    for jti in ["a", "b"] {
        setup.run(&["token", "revoke", "--jti", jti]);
    }
    let body = form(&[("username", "ann"), ("password", PASSWORD)]);
    let session = post_form(server.address, "/token", &body, "").await.json();
    let text = |name: &str| session[name].as_str().expect("a token").to_owned();
    let access = Marked { text: text("access_token") };
    let reply = post_form(server.address, "/revoke", &form(&[("token", &access.text)]), "").await;
    assert_eq!((reply.status, reply.code().as_str()), (503, "unavailable"), "{reply:?}");
    let mut socket = enter(&server, &access).await;
    let reply = post_form(server.address, "/revoke", &form(&[("token", &text("refresh_token"))]), "").await;
    assert_eq!(reply.status, 200, "the end of a session is always kept: {reply:?}");
    assert_eq!(socket.closed().await, told(REVOKED));
}

/// Prints how long it takes until a thousand sockets are closed; `LYCHGATE_REVOKED_SOCKETS` says another number.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_sockets_of_one_session_go_together() {
    let sockets = env::var("LYCHGATE_REVOKED_SOCKETS").ok().and_then(|text| text.parse().ok()).unwrap_or(100);
    let server = Setup::of(CONFIG).user("ann", PASSWORD).start().await;
    let body = form(&[("username", "ann"), ("password", PASSWORD)]);
    let session = post_form(server.address, "/token", &body, "").await.json();
    let access = Marked { text: session["access_token"].as_str().expect("a token").to_owned() };
    let mut all = Vec::new();
    for _ in 0..sockets {
        all.push(enter(&server, &access).await);
    }
    let mut other = enter(&server, &Marked::of("bob", "t", "s", now())).await;
    let body = form(&[("token", session["refresh_token"].as_str().expect("a token"))]);
    let began = Instant::now();
    let revoked = async {
        assert_eq!(post_form(server.address, "/revoke", &body, "").await.status, 200);
        began.elapsed()
    };
    let closes = join_all(all.iter_mut().map(async |socket| {
        assert_eq!(socket.closed().await, told(REVOKED));
        began.elapsed()
    }));
    let (answered, mut closed) = tokio::join!(revoked, closes);
    closed.sort_unstable();
    let (half, most) = (closed[closed.len() / 2], closed[closed.len() - 1 - closed.len() / 100]);
    println!("{sockets} sockets: answered after {answered:?}, closed after {half:?} (p50), {most:?} (p99)");
    still_there(&mut other).await;
}
