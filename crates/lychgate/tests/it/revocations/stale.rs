//! A server that cannot read what is revoked lets nobody in by a token, and says of no logout that it is done.

use serde_json::json;
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;

use super::{CONFIG, Marked, PASSWORD, enter, still_there};
use crate::harness::http::{form, post_form};
use crate::harness::token::now;
use crate::harness::wait::until;
use crate::harness::{Client, Setup};

#[tokio::test]
async fn what_cannot_be_read_for_too_long_keeps_everybody_out() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("lychgate.db");
    let place = format!("[database]\nurl = \"sqlite:{}\"\n", path.display());
    // Longer than an unlucky moment of a busy machine, and short enough to wait for.
    let times = "[revocations]\nstale_after = \"3s\"\n";
    let visitors = "[endpoint.open]\npath = \"/open\"\nchannel = \"open\"\nidentity = { anonymous = \"guest\" }\n";
    let setup = Setup::of(CONFIG).over(&place).over(times).over(visitors).user("ann", PASSWORD);
    let server = setup.start().await;
    let body = form(&[("username", "ann"), ("password", PASSWORD)]);
    let session = post_form(server.address, "/token", &body, "").await.json();
    let text = |name: &str| session[name].as_str().expect("a token").to_owned();
    let mut socket = enter(&server, &Marked { text: text("access_token") }).await;
    let target = format!("/room?token={}", Marked::of("ann", "t", "s", now()).text);

    let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(&path)).await.expect("it opens");
    let run = async |statement: &'static str| {
        sqlx::query(statement).execute(&pool).await.expect("the database is ours");
    };
    run("ALTER TABLE revocations RENAME TO hidden").await;
    let closed = until("the door to close", async || {
        let mut client = Client::open(server.address, &target).await;
        client.say(&json!({ "n": 1 }).to_string()).await;
        client.hear_or_closed().await.map_or_else(Ok, |message| Err(message.to_string()))
    })
    .await;
    assert_eq!(closed, (1011, "internal server error".to_owned()));
    server.log().wait_for("the reason", |line| line["reason"] == "revocations_stale").await;
    for token in [text("refresh_token"), text("access_token")] {
        let reply = post_form(server.address, "/revoke", &form(&[("token", &token)]), "").await;
        assert_eq!((reply.status, reply.code().as_str()), (503, "unavailable"), "{reply:?}");
        assert!(reply.header("retry-after").is_some(), "{reply:?}");
    }
    still_there(&mut socket).await;
    // Visitors show nothing that could be revoked.
    Client::open(server.address, "/open").await.entered().await;

    run("ALTER TABLE hidden RENAME TO revocations").await;
    until("the door to open", async || {
        let mut client = Client::open(server.address, &target).await;
        client.say(&json!({ "n": 1 }).to_string()).await;
        client.hear_or_closed().await.map(|_| ()).map_err(|close| format!("{close:?}"))
    })
    .await;
    let reply = post_form(server.address, "/revoke", &form(&[("token", &text("refresh_token"))]), "").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(socket.closed_after_all().await, (3503, "revoked".to_owned()));
}
