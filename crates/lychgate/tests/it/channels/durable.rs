//! Channels whose history outlives the server: what was acknowledged is there, with its place, and nothing else has it.

mod kills;

use std::path::PathBuf;

use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;

use super::client::Client;
use super::{enter, error};
use crate::harness::http::post;
use crate::harness::process::program;
use crate::harness::{Server, Setup, Wire};

/// What is laid over the configuration of these tests, with a plain endpoint that speaks to the same channels.
const DURABLE: &str = r#"
[limits]
messages_per_second = 1_000_000
messages_burst = 1_000_000
publications_per_answer = 10_000
history_bytes_max = "64MiB"

[endpoint.ledger]
path = "/ledger/{name:name}"
channel = "ledger:{name}"

[namespace.ledger]
channel = "ledger:{name:name}"
publish = "permitted"
history_size = 100000
history_durable = true
policy = { rule = "any" }
"#;

/// A database that outlives its servers.
struct World {
    setup: Setup,
    key: String,
    database: PathBuf,
    _folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let database = folder.path().join("durable.db");
        let place = format!("[database]\nurl = \"sqlite:{}\"\n", database.display());
        let setup = super::setup().over(DURABLE).over(&place);
        let key = key(&setup);
        Self { setup, key, database, _folder: folder }
    }

    async fn start(self) -> (Server, Self) {
        let (server, setup) = self.setup.start_and_keep().await;
        (server, Self { setup, ..self })
    }

    /// Stops `server` as an operator does, and starts the next one.
    async fn restart(self, mut server: Server) -> (Server, Self) {
        server.process.terminate();
        assert_eq!(server.process.exited().await.code(), Some(0));
        self.start().await
    }

    /// What the application's call of `method` comes to.
    async fn call(&self, server: &Server, method: &str, body: Value) -> Value {
        let headers = format!("x-api-key: {}\r\n", self.key);
        post(server.address, &format!("/api/{method}"), &body.to_string(), &headers).await.json()
    }

    /// Changes the database while a server has it open.
    async fn change(&self, statement: &'static str) {
        let options = SqliteConnectOptions::new().filename(&self.database);
        let mut connection = options.connect().await.expect("the server made it");
        sqlx::query(statement).execute(&mut connection).await.expect("a good statement");
        connection.close().await.expect("an end");
    }
}

fn key(setup: &Setup) -> String {
    let mut command = program();
    command.args(["apikey", "create", "application"]);
    command.args(["--scope", "channels:publish", "--scope", "channels:read", "--scope", "channels:manage"]);
    setup.name_files(&mut command);
    let output = command.output().expect("the program was built with the tests");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
}

/// Subscribes to `ledger:a`, with what was missed since that place.
async fn back(client: &mut Client, epoch: &Value, offset: u64) -> Value {
    let place = json!({ "channel": "ledger:a", "recover": true, "epoch": epoch, "offset": offset });
    client.result("subscribe", place).await
}

/// The data of publications, in their order.
fn data(publications: &Value) -> Vec<Value> {
    publications.as_array().expect("a list").iter().map(|publication| publication["data"].clone()).collect()
}

#[tokio::test]
async fn a_restart_keeps_the_epoch_and_a_client_recovers_across_it() {
    let (server, world) = World::new().start().await;
    let (mut ann, mut bob) = (enter(&server, "ann").await, enter(&server, "bob").await);
    bob.result("subscribe", json!({ "channel": "ledger:a", "recoverable": true })).await;
    for n in 1..=3 {
        ann.publish("ledger:a", json!(n)).await;
    }
    // In memory alone, for comparison.
    ann.publish("square:a", json!(1)).await;
    let in_memory = ann.subscribe("square:a").await["epoch"].clone();
    let first = bob.push().await["pub"].take();
    let epoch = first["epoch"].clone();
    assert_eq!((&first["offset"], &first["data"]), (&json!(1), &json!(1)));

    let (server, world) = world.restart(server).await;
    let (mut ann, mut bob) = (enter(&server, "ann").await, enter(&server, "bob").await);
    let result = back(&mut bob, &epoch, 1).await;
    assert_eq!((&result["recovered"], &result["epoch"]), (&json!(true), &epoch), "{result}");
    assert_eq!(data(&result["publications"]), [2, 3]);
    assert_eq!(result["publications"][0]["info"]["user"], "ann", "it is still known who said it");
    assert_ne!(ann.subscribe("square:a").await["epoch"], in_memory);
    ann.publish("ledger:a", json!(4)).await;
    let live = bob.push().await["pub"].take();
    assert_eq!((&live["offset"], &live["data"]), (&json!(4), &json!(4)));

    // And once more, by the application.
    let (server, world) = world.restart(server).await;
    let published = world.call(&server, "publish", json!({ "channel": "ledger:a", "data": 5 })).await;
    assert_eq!(published["result"], json!({ "offset": 5, "epoch": epoch }));
    let history = world.call(&server, "history", json!({ "channel": "ledger:a", "limit": -1 })).await;
    assert_eq!(data(&history["result"]["publications"]), [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn tags_and_the_version_outlive_the_server() {
    let (server, world) = World::new().start().await;
    let tags = json!({ "lang": "en", "": "é\"" });
    let first = json!({ "channel": "ledger:a", "data": 1, "tags": tags, "version": 7, "version_epoch": "run" });
    let published = world.call(&server, "publish", first.clone()).await["result"].clone();
    let (server, world) = world.restart(server).await;
    let history = world.call(&server, "history", json!({ "channel": "ledger:a", "limit": -1 })).await;
    assert_eq!(history["result"]["publications"], json!([{ "data": 1, "offset": 1, "tags": tags }]));
    assert_eq!(world.call(&server, "publish", first).await["result"], published, "it comes too late");
    let next = json!({ "channel": "ledger:a", "data": 2, "version": 8 });
    assert_eq!(world.call(&server, "publish", next).await["result"]["offset"], 2);
    let mut ann = enter(&server, "ann").await;
    let result = back(&mut ann, &published["epoch"], 0).await;
    assert_eq!((&result["publications"][0]["tags"], data(&result["publications"])), (&tags, vec![json!(1), json!(2)]));
}

#[tokio::test]
async fn what_a_plain_endpoint_says_is_kept_as_well() {
    let (server, world) = World::new().start().await;
    let mut bob = enter(&server, "bob").await;
    bob.result("subscribe", json!({ "channel": "ledger:a", "recoverable": true })).await;
    let mut plain = Wire::enter(&server, "/ledger/a", "cleo").await;
    for n in 1..=40 {
        plain.say(&json!({ "n": n }).to_string()).await;
    }
    for n in 1..=40 {
        assert_eq!(plain.hear().await, json!({ "n": n }), "itself as well");
        assert_eq!(bob.data().await, json!({ "n": n }));
    }
    let (server, world) = world.restart(server).await;
    let history = world.call(&server, "history", json!({ "channel": "ledger:a", "limit": -1 })).await;
    let expected: Vec<_> = (1..=40).map(|n| json!({ "n": n })).collect();
    assert_eq!(data(&history["result"]["publications"]), expected);
    assert_eq!(history["result"]["publications"][0]["info"], json!({ "user": "cleo", "client": "" }));
}

#[tokio::test]
async fn what_cannot_be_stored_is_an_error_and_heard_by_nobody() {
    let (server, world) = World::new().start().await;
    let (mut ann, mut bob) = (enter(&server, "ann").await, enter(&server, "bob").await);
    let epoch = bob.subscribe("ledger:a").await["epoch"].clone();
    world.change("CREATE TRIGGER no BEFORE INSERT ON publications BEGIN SELECT RAISE(ABORT, 'no room'); END").await;
    let asked = json!({ "channel": "ledger:a", "data": 1 });
    let refused = json!({ "code": 100, "message": "internal server error", "temporary": true });
    assert_eq!(ann.ask("publish", asked.clone()).await, json!({ "error": refused }));
    assert_eq!(world.call(&server, "publish", asked.clone()).await["error"]["code"], 100);
    let keyed = json!({ "channel": "ledger:a", "data": 2, "idempotency_key": "k" });
    assert_eq!(world.call(&server, "publish", keyed.clone()).await["error"]["code"], 100);
    // What need not be stored goes on.
    let passing = json!({ "channel": "ledger:a", "data": "passing", "skip_history": true });
    assert_eq!(world.call(&server, "publish", passing).await, json!({ "result": {} }));
    assert_eq!(bob.data().await, "passing");
    bob.hears_nothing("it is not stored").await;
    world.change("DROP TRIGGER no").await;
    ann.publish("ledger:a", json!(3)).await;
    let publication = bob.push().await["pub"].take();
    assert_eq!((&publication["offset"], &publication["data"]), (&json!(1), &json!(3)), "no place was lost");
    let retried = world.call(&server, "publish", keyed).await;
    assert_eq!(retried["result"]["offset"], 2, "a key of one that failed is free");
    let (server, _world) = world.restart(server).await;
    let mut bob = enter(&server, "bob").await;
    assert_eq!(data(&back(&mut bob, &epoch, 0).await["publications"]), [3, 2]);
}

#[tokio::test]
async fn history_that_was_removed_stays_so_after_a_restart() {
    let (server, world) = World::new().start().await;
    let mut ann = enter(&server, "ann").await;
    for n in 1..=3 {
        ann.publish("ledger:a", json!(n)).await;
        ann.publish("ledger:b", json!(n)).await;
    }
    let removed = world.call(&server, "history_remove", json!({ "channel": "ledger:a" })).await;
    assert_eq!(removed, json!({ "result": {} }));
    ann.publish("ledger:a", json!(4)).await;
    let (server, world) = world.restart(server).await;
    let history = async |channel: &str| {
        let page = world.call(&server, "history", json!({ "channel": channel, "limit": -1 })).await;
        (page["result"]["offset"].clone(), data(&page["result"]["publications"]))
    };
    assert_eq!(history("ledger:a").await, (json!(4), vec![json!(4)]), "and its place was kept");
    assert_eq!(history("ledger:b").await, (json!(3), vec![json!(1), json!(2), json!(3)]));
    let mut bob = enter(&server, "bob").await;
    assert_eq!(bob.ask("history", json!({ "channel": "news:x" })).await, error(108, "not available"));
}

#[tokio::test]
async fn many_at_once_by_the_application_are_few_commits_and_each_one_publication() {
    let (server, world) = World::new().start().await;
    let channels: Vec<_> = (0..200).map(|n| format!("ledger:{n}")).collect();
    let asked = json!({ "channels": channels, "data": 1, "idempotency_key": "all" });
    // The same at once, as a client does that lost patience.
    let (one, other) =
        tokio::join!(world.call(&server, "broadcast", asked.clone()), world.call(&server, "broadcast", asked.clone()));
    for answer in [one, other] {
        let responses = answer["result"]["responses"].as_array().expect("a list").clone();
        assert_eq!(responses.len(), 200);
        for response in responses {
            assert_eq!(response["result"]["offset"], 1, "{response}");
        }
    }
}
