//! Where there is no room, events are lost, the application is told how many, and is right again with what follows.

use std::collections::BTreeSet;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::application::{Told, open};
use super::{client, plain, setup};
use crate::harness::Server;
use crate::harness::http::get;
use crate::harness::wait::until;

async fn figure(server: &Server, outcome: &str, wanted: u64) {
    until(&format!("{wanted} {outcome}"), async || {
        match server.metrics().await.value("lychgate_events_total", &[("outcome", outcome)]) {
            found if found == wanted => Ok(()),
            found => Err(found.to_string()),
        }
    })
    .await;
}

async fn health(server: &Server, wanted: &str) {
    until(&format!("health to be {wanted}"), async || {
        let reply = get(server.operations, "/health/ready").await;
        let health = reply.json();
        assert_eq!(reply.status, 200, "it serves all the same: {health}");
        if health["status"] == wanted { Ok(()) } else { Err(health.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn what_is_beyond_the_limit_is_counted_and_told_as_lost() {
    let told = Told::away();
    let server = setup(&told).over("[events]\nwaiting_max = 20\n").start().await;
    let (_stays, name) = client(&server, "stays").await;
    // Nineteen more have room, and twenty-one have not.
    for n in 0..10 {
        plain(&server, n, "ann").await.leave().await;
        figure_at_least(&server, u64::from(n + 1) * 4 + 1).await;
    }
    figure(&server, "written", 20).await;
    figure(&server, "dropped", 21).await;
    health(&server, "degraded").await;
    told.open(|| Some((200, ""))).await;
    let events = told.knows("what is open", |events| events.len() >= 22).await;
    assert_eq!((&events[20]["event"], &events[20]["count"]), (&"lost".into(), &21.into()));
    assert_eq!((&events[21]["event"], &events[21]["client"]), (&"connected".into(), &name.as_str().into()));
    assert_eq!(open(&events), BTreeSet::from([format!("client {name}")]));
    health(&server, "ok").await;
    plain(&server, 1, "ann").await.leave().await;
    assert_eq!(open(&told.count(26).await).len(), 1);
    figure(&server, "dropped", 21).await;
}

/// Waits until so much has happened, stored or lost.
async fn figure_at_least(server: &Server, wanted: u64) {
    until(&format!("{wanted} events"), async || {
        let metrics = server.metrics().await;
        let of = |outcome| metrics.value("lychgate_events_total", &[("outcome", outcome)]);
        let found = of("written") + of("dropped");
        if found >= wanted { Ok(()) } else { Err(found.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn a_database_that_stores_nothing_is_waited_for() {
    let told = Told::begin().await;
    let folder = tempfile::tempdir().expect("a folder for the test");
    let database = folder.path().join("events.db");
    let place = format!("[database]\nurl = \"sqlite:{}\"\n[events]\nqueue_max = 16\n", database.display());
    let server = setup(&told).over(&place).start().await;
    let change = async |statement: &'static str| {
        let options = SqliteConnectOptions::new().filename(&database);
        let mut connection = options.connect().await.expect("the server made it");
        sqlx::query(statement).execute(&mut connection).await.expect("a good statement");
        connection.close().await.expect("an end");
    };
    change("CREATE TRIGGER no BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'no room'); END").await;
    let (mut bob, name) = client(&server, "bob").await;
    bob.subscribe("told:1").await;
    health(&server, "degraded").await;
    change("DROP TRIGGER no").await;
    assert_eq!(open(&told.count(2).await).len(), 2, "nobody waited for the database, and nothing is lost");
    health(&server, "ok").await;

    // So long that the queue is full.
    change("CREATE TRIGGER no BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'no room'); END").await;
    for n in 2..22 {
        plain(&server, n, "ann").await.leave().await;
    }
    bob.leave().await;
    server.log().wait_for("a loss", |line| line["reason"] == "queue").await;
    change("DROP TRIGGER no").await;
    let is_over = |events: &[serde_json::Value]| events.iter().any(|event| event["event"] == "lost");
    let events = told.knows("a loss", is_over).await;
    until("nobody", async || {
        let events = told.events();
        let open = open(&events);
        if open.is_empty() { Ok(()) } else { Err(format!("{open:?}")) }
    })
    .await;
    let lost = events.iter().find(|event| event["event"] == "lost").and_then(|event| event["count"].as_u64());
    // Twenty have come and gone with their channels, and bob has gone with his.
    let told_of = told.events().len() as u64 - 2 - 1;
    assert!(lost.is_some_and(|lost| lost + told_of >= 82), "{lost:?} and {told_of}; {name}");
    health(&server, "ok").await;
}
