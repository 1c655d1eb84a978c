//! What the application is told of who came and went, over real HTTP: in order, without a hole, across crashes and while
//! it is slow, failing or away.

mod application;
mod churn;
mod kills;
mod loss;
mod reasons;

use serde_json::{Value, json};

use self::application::Told;
use super::client::Client;
use crate::harness::application::SECRET;
use crate::harness::http::get;
use crate::harness::wait::until;
use crate::harness::{Server, Setup, Wire};

/// Endpoints of every kind, and channels of a namespace that is told of.
const CONFIG: &str = r#"
[api]
enabled = true

[limits]
connects_per_second_per_address = 1_000_000
connects_burst_per_address = 1_000_000
connections_per_user = 10_000
connections_per_address = 10_000

[events]
retry_max = "1s"

[source.app]
secret_env = "APP_SECRET"
timeout = "10s"

[endpoint.room]
path = "/room/{room:int}"
channel = "told:{room}"
events = "app"

[endpoint.many]
path = "/many"
kind = "channels"
events = "app"

[endpoint.quiet]
path = "/quiet"

[namespace.told]
channel = "told:{room:int}"
events = "app"
policy = { rule = "any" }

[namespace.untold]
channel = "untold:{room:int}"
policy = { rule = "any" }
"#;

/// A server that tells `told`.
fn setup(told: &Told) -> Setup {
    let source = format!("[source.app]\nurl = \"{}\"\n", told.url());
    Setup::of(CONFIG).over(&source).variable("APP_SECRET", SECRET)
}

/// Somebody at the plain endpoint.
async fn plain(server: &Server, room: u32, user: &str) -> Wire {
    Wire::enter(server, &format!("/room/{room}"), user).await
}

/// Somebody who names channels, and what the connection is called.
async fn client(server: &Server, user: &str) -> (Client, String) {
    let mut client = Client::open(server, "/many").await;
    let opened = client.connect(&crate::harness::token::own(user)).await;
    let name = opened["client"].as_str().expect("a name").to_owned();
    (client, name)
}

#[tokio::test]
async fn who_comes_and_goes_is_told_of() {
    let told = Told::begin().await;
    let server = setup(&told).start().await;
    let quiet = Wire::enter(&server, "/quiet", "eve").await;
    let wire = plain(&server, 5, "ann").await;
    let (mut bob, name) = client(&server, "bob").await;
    bob.subscribe("told:6").await;
    bob.subscribe("told:5").await;
    bob.subscribe("untold:7").await;
    wire.leave().await;
    told.knows("that ann has left", |events| events.iter().any(|event| event["event"] == "disconnected")).await;
    bob.leave().await;
    quiet.leave().await;
    let events = told.count(8).await;
    let kinds: Vec<_> = events.iter().map(|event| event["event"].as_str().expect("a word")).collect();
    let both = "connected occupied connected occupied disconnected empty empty disconnected";
    assert_eq!(kinds.join(" "), both, "{events:#?}");
    let ann = &events[0];
    let known = |event: &Value| ["user", "endpoint", "channel", "client"].map(|key| event[key].clone());
    assert_eq!(known(ann)[..3], [json!("ann"), json!("room"), json!("told:5")]);
    assert_eq!(known(&events[4]), known(ann), "the same connection");
    assert_eq!(known(&events[2]), [json!("bob"), json!("many"), Value::Null, json!(name)], "as the client knows it");
    assert_eq!((&events[1]["channel"], &events[1]["namespace"]), (&json!("told:5"), &json!("told")));
    assert_eq!(events[3]["channel"], "told:6");
    assert_eq!((&events[4]["code"], &events[4]["reason"]), (&json!(1000), &json!("client")));
    assert!(events[4]["lasted_ms"].is_u64(), "{}", events[4]);
    for event in &events {
        let time = event["time"].as_str().expect("a time");
        assert!(time.len() == 24 && time.ends_with('Z'), "{time}");
    }
    let figures = server.metrics().await;
    for (outcome, count) in [("written", 8), ("dropped", 0)] {
        assert_eq!(figures.value("lychgate_events_total", &[("source", "app"), ("outcome", outcome)]), count);
    }
    until("all to be delivered", async || {
        let figures = server.metrics().await;
        let waiting = figures.value("lychgate_events_waiting", &[]);
        let delivered = figures.value("lychgate_events_total", &[("outcome", "delivered")]);
        if (waiting, delivered) == (0, 8) { Ok(()) } else { Err(format!("{waiting} wait, {delivered} delivered")) }
    })
    .await;
    let health = get(server.operations, "/health/ready").await.json();
    assert_eq!(health["checks"]["events"], "ok", "{health}");
}
