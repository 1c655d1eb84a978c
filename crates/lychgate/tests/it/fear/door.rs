//! Who comes in: the token alone says it, and every refusal looks the same.

use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::{board, change, chat, example, forbidden, hear, legacy, told};
use crate::harness::token::{self, Signer, now, own, own_until};
use crate::harness::wire::{ask, request};
use crate::harness::{Client, Server, Wire};

#[tokio::test]
async fn every_refusal_is_4403_without_a_word_and_behind_the_handshake() {
    let server = example().start().await;
    let good = own("1");
    let changed = format!("{}{}", &good[..good.len() - 2], if good.ends_with("xx") { "yy" } else { "xx" });
    let claims = json!({ "sub": "1", "exp": now() + 600 }).to_string();
    let foreign = token::forge(Signer::Hmac(b"a secret that nobody has told us, 3b1"), r#"{"alg":"HS256"}"#, &claims);
    let unsigned = token::forge(Signer::Nobody, r#"{"alg":"none"}"#, &claims);
    let mut refused = 0;
    for path in ["/ws/chat/5", "/ws/presence"] {
        for (what, query) in [
            ("missing", String::new()),
            ("missing: empty", "?token=".to_owned()),
            ("missing: a name instead", "?user_id=1&username=ann".to_owned()),
            ("malformed", "?token=a.b.c".to_owned()),
            ("malformed: garbage", "?token=garbage".to_owned()),
            ("invalid: changed", format!("?token={changed}")),
            ("invalid: of another secret", format!("?token={foreign}")),
            ("invalid: unsigned", format!("?token={unsigned}")),
            ("expired", format!("?token={}", own_until("1", now() - 60))),
            ("expired: legacy", format!("?token={}", legacy(&json!({ "sub": "1", "exp": now() - 60 })))),
            ("without an end", format!("?token={}", legacy(&json!({ "sub": "1" })))),
            ("payload: no sub", format!("?token={}", legacy(&json!({ "username": "ann", "exp": now() + 600 })))),
            ("payload: a number", format!("?token={}", legacy(&json!({ "sub": 1, "exp": now() + 600 })))),
            ("not found", format!("?token={}", own("999"))),
            ("not found: a name", format!("?token={}", own("ann"))),
            ("not found: another spelling", format!("?token={}", own("01"))),
            ("inactive", format!("?token={}", own("3"))),
            ("two tokens", format!("?token={good}&token={good}")),
        ] {
            let target = format!("{path}{query}");
            let mut wire = Wire::open(server.address, &target).await;
            assert_eq!(wire.closed_politely().await, forbidden(), "{what} at {path}");
            refused += 1;
        }
    }
    for (what, target) in [
        ("a channel that does not exist", Server::at("/ws/chat/7", "1")),
        ("a foreign channel", Server::at("/ws/chat/6", "1")),
        ("no number", Server::at("/ws/chat/five", "1")),
        ("another spelling of the number", Server::at("/ws/chat/05", "1")),
    ] {
        let mut wire = Wire::open(server.address, &target).await;
        assert_eq!(wire.closed_politely().await, forbidden(), "{what}");
        refused += 1;
    }
    // The controls.
    let (_ann, _dan) = (chat(&server, "1").await, Wire::enter(&server, "/ws/chat/6", "4").await);
    let (_, people) = board(&server, "2").await;
    assert_eq!(people.len(), 3, "nobody of those who were refused is on the board: {people:?}");
    let metrics = server.metrics().await;
    assert_eq!(metrics.value("lychgate_refusals_total", &[]), refused, "each was counted by its own reason");
    assert!(metrics.value("lychgate_refusals_total", &[("reason", "expired")]) >= 4);
    assert!(metrics.value("lychgate_refusals_total", &[("reason", "inactive")]) >= 2);
    server.log().never_holds(&changed);
}

#[tokio::test]
async fn a_browser_sees_the_number() {
    let server = example().start().await;
    // A library that speaks as browsers do: it gets an open socket and then a close, and no failed handshake.
    let mut client = Client::open(server.address, "/ws/chat/5").await;
    assert_eq!(client.closed().await, forbidden());
    let reply = ask(server.address, &request("/ws/presence", "origin: http://127.0.0.1\r\n")).await;
    assert_eq!(reply.status, 101);
}

#[tokio::test]
async fn user_id_and_username_in_the_query_or_in_a_frame_impersonate_nobody() {
    let server = example().start().await;
    let (mut watcher, _) = board(&server, "4").await;
    let target = format!("{}&user_id=2&username=bob", Server::at("/ws/chat/5", "1"));
    let mut ann = Wire::open(server.address, &target).await;
    ann.entered().await;
    assert_eq!(change(&mut watcher).await, told(1, "online"));
    let mut bob = chat(&server, "2").await;
    hear(&mut ann, "user_joined").await;
    assert_eq!(change(&mut watcher).await, told(2, "online"));
    for frame in [
        json!({ "type": "message", "content": "it is me", "user_id": 2, "username": "bob", "author_id": 2 }),
        json!({ "type": "typing_start", "user_id": 2, "username": "bob" }),
    ] {
        ann.say(&frame.to_string()).await;
        let heard = bob.hear().await;
        assert_eq!((&heard["user_id"], &heard["username"]), (&json!(1), &json!("ann")), "{heard}");
        assert_eq!(heard["author_id"], json!(null));
    }
    let target = format!("{}&user_id=2&username=bob", Server::at("/ws/presence", "1"));
    let mut own = Wire::open(server.address, &target).await;
    assert_eq!(change(&mut own).await, told(1, "online"));
    hear(&mut own, "presence_list").await;
    own.say(r#"{"type":"status_update","status":"dnd","user_id":2}"#).await;
    assert_eq!(change(&mut own).await, told(1, "dnd"));
    assert_eq!(change(&mut watcher).await, told(1, "dnd"));
}

#[tokio::test]
async fn a_member_who_is_taken_out_and_a_user_who_is_disabled_are_shut_out_while_connected() {
    let (server, setup) = example().over("[endpoint.chat.policy]\nask_again = \"1s\"\n").start_and_keep().await;
    let mut ann = chat(&server, "1").await;
    let mut bob = chat(&server, "2").await;
    hear(&mut ann, "user_joined").await;
    setup.run(&["member", "remove", "chat:5", "2"]);
    assert_eq!(bob.closed_politely().await, forbidden());
    assert_eq!(hear(&mut ann, "user_left").await["user_id"], 2);
    setup.run(&["user", "disable", "ann"]);
    assert_eq!(ann.closed_politely().await, forbidden());
}

/// The members may be in the application's own database; the query is that of the page.
#[tokio::test]
async fn members_may_be_looked_up_in_another_database() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("app.db");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut database = options.connect().await.expect("a file of our own");
    let table = "create table channel_members (channel_id integer, user_id integer);
                 insert into channel_members values (9, 1), (8, 2)";
    sqlx::raw_sql(table).execute(&mut database).await.expect("good statements");
    database.close().await.expect("an end");
    let own = "[source.app]\nurl_env = \"DATABASE_URL\"\n[endpoint.chat.policy]\nsource = \"app\"\n\
               query = \"select 1 from channel_members where channel_id = :channel and user_id = :user\"\n";
    let server = example().over(own).variable("DATABASE_URL", &format!("sqlite:{}", path.display())).start().await;
    let mut ann = Wire::enter(&server, "/ws/chat/9", "1").await;
    for (channel, sub) in [(9, "2"), (8, "1"), (5, "1")] {
        let mut wire = Wire::open(server.address, &Server::at(&format!("/ws/chat/{channel}"), sub)).await;
        assert_eq!(wire.closed_politely().await, forbidden(), "{sub} in {channel}");
    }
    let mut dan = board(&server, "4").await.0;
    assert_eq!(say_unheard(&mut ann, &mut dan).await, 9);
}

/// Says something that Dan is not to hear, and gives the channel that it was said in.
async fn say_unheard(ann: &mut Wire, dan: &mut Wire) -> i64 {
    ann.say(r#"{"content":"@dan"}"#).await;
    let said = hear(ann, "message").await;
    ann.entered().await;
    dan.entered().await;
    said["channel_id"].as_i64().expect("a number")
}
