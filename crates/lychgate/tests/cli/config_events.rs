//! Whoever is to be told events has to be an application that can be called, and signed for.

use std::collections::BTreeMap;

use crate::support::{Place, Ran, SECRET};

/// A server that tells of an endpoint and of a namespace.
const GOOD: &str = r#"
[tokens]
signing = "eddsa"

[source.app]
url = "https://app.example.com/events"
secret_env = "APP_SECRET"

[source.books]
url = "sqlite:books.db"

[endpoint.realtime]
path = "/connection/websocket"
kind = "channels"
events = "app"

[namespace.chat]
channel = "chat:{room:int}"
events = "app"
policy = { rule = "any" }
"#;

fn check(text: &str) -> Ran {
    let environment = BTreeMap::from([("APP_SECRET", SECRET)]);
    Place::with(&[("lychgate.toml", text)]).run_in(&environment, &["config", "check"])
}

#[test]
fn each_fault_is_told_with_its_key_and_its_remedy() {
    check(GOOD).expect(0);
    let realtime = "kind = \"channels\"\nevents = \"app\"";
    let chat = "{room:int}\"\nevents = \"app\"";
    for (from, to, key, remedy) in [
        (realtime, "kind = \"channels\"\nevents = \"ap\"", "endpoint.realtime.events", "Write [source.ap]"),
        (chat, "{room:int}\"\nevents = \"ap\"", "namespace.chat.events", "Write [source.ap]"),
        (realtime, "kind = \"channels\"\nevents = \"books\"", "endpoint.realtime.events", "http:// or https://"),
        (chat, "{room:int}\"\nevents = \"books\"", "namespace.chat.events", "http:// or https://"),
        ("secret_env = \"APP_SECRET\"\n", "", "endpoint.realtime.events", "Set secret_env or secret_file"),
        ("[source.books]", "[events]\nbatch_max = 0\n[source.books]", "events.batch_max", "1"),
        ("[source.books]", "[events]\nwait_max = 1\n[source.books]", "events.wait_max", "waiting_max"),
    ] {
        let text = GOOD.replace(from, to);
        assert_ne!(text, GOOD, "{from}");
        let ran = check(&text).expect(2);
        assert!(ran.err.contains(key) && ran.err.contains(remedy), "{key}: {}", ran.err);
        assert!(ran.err.contains("lychgate.toml:"), "{key} has a place: {}", ran.err);
    }
}

#[test]
fn a_limit_that_connections_alone_can_reach_is_pointed_out() {
    let few = GOOD.replace("[source.books]", "[events]\nwaiting_max = 10\n[source.books]");
    let ran = check(&few).expect(0);
    assert!(format!("{}{}", ran.out, ran.err).contains("less than limits.connections_max"), "{} {}", ran.out, ran.err);
    let untold = few.replace("events = \"app\"\n", "");
    let ran = check(&untold).expect(0);
    assert!(!format!("{}{}", ran.out, ran.err).contains("less than limits.connections_max"), "{} {}", ran.out, ran.err);
}
