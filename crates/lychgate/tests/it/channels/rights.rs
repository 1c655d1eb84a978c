//! Rights that rest on the registry: whoever loses one is taken out at once, and of nothing else.

use serde_json::{Value, json};

use super::client::Client;
use super::{enter, error};
use crate::harness::http::{Reply, exchange};
use crate::harness::process::program;
use crate::harness::{Server, Setup};

/// A server whose registry is changed over HTTP.
struct World {
    server: Server,
    key: String,
}

impl World {
    async fn begin() -> Self {
        let (server, setup) = super::setup().start_and_keep().await;
        Self { server, key: key(&setup) }
    }

    async fn ask(&self, method: &str, path: &str) -> Reply {
        let body = if method == "PUT" && !path.contains("/members/") { "null" } else { "" };
        let (key, length) = (&self.key, body.len());
        let head = format!(
            "{method} /api{path} HTTP/1.1\r\nhost: gate\r\nconnection: close\r\nauthorization: Bearer {key}\r\ncontent-length: {length}\r\n\r\n"
        );
        let reply = exchange(self.server.address, format!("{head}{body}").as_bytes()).await;
        assert!((200..300).contains(&reply.status), "{method} {path}: {reply:?}");
        reply
    }

    async fn room(&self, number: u32, members: &[&str]) {
        self.ask("PUT", &format!("/resources/room:{number}")).await;
        for member in members {
            self.ask("PUT", &format!("/resources/room:{number}/members/{member}")).await;
        }
    }

    async fn remove(&self, number: u32, member: &str) {
        self.ask("DELETE", &format!("/resources/room:{number}/members/{member}")).await;
    }
}

fn key(setup: &Setup) -> String {
    let mut command = program();
    command.args(["apikey", "create", "all", "--scope", "registry:read", "--scope", "registry:write"]);
    setup.name_files(&mut command);
    let output = command.output().expect("the program was built with the tests");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
}

fn lost(channel: &str) -> Value {
    json!({ "channel": channel, "unsubscribe": { "code": 2000, "reason": "server unsubscribe" } })
}

#[tokio::test]
async fn members_come_in_and_whoever_is_removed_is_out_at_once() {
    let world = World::begin().await;
    world.room(1, &["ann", "bob"]).await;
    world.room(2, &["ann"]).await;
    let (mut ann, mut bob, mut eve) =
        (enter(&world.server, "ann").await, enter(&world.server, "bob").await, enter(&world.server, "eve").await);
    assert_eq!(eve.ask("subscribe", json!({ "channel": "room:1" })).await, error(103, "permission denied"));
    assert_eq!(eve.ask("publish", json!({ "channel": "room:1", "data": 1 })).await, error(103, "permission denied"));
    for channel in ["room:1", "room:2", "chat:1"] {
        ann.subscribe(channel).await;
    }
    bob.subscribe("room:1").await;
    world.remove(1, "ann").await;
    assert_eq!(ann.push().await, lost("room:1"));
    for command in ["subscribe", "history", "publish"] {
        let request = json!({ "channel": "room:1", "data": 1 });
        assert_eq!(ann.ask(command, request).await, error(103, "permission denied"), "{command}");
    }
    bob.publish("room:1", json!("among us")).await;
    assert_eq!(bob.data().await, "among us", "his right was not touched");
    ann.hears_nothing("she is out").await;
    for channel in ["room:2", "chat:1"] {
        ann.publish(channel, json!(channel)).await;
        assert_eq!(ann.data().await, channel, "what she still may is as it was");
    }
    world.ask("PUT", "/resources/room:1/members/ann").await;
    ann.subscribe("room:1").await;
}

#[tokio::test]
async fn nothing_comes_behind_the_loss() {
    let world = World::begin().await;
    world.room(1, &["ann", "bob"]).await;
    let mut ann = enter(&world.server, "ann").await;
    ann.subscribe("room:1").await;
    let mut bob = Client::enter(&world.server, "/many", "bob").await;
    let burst: Vec<String> =
        (0..60).map(|n| json!({ "id": 100 + n, "publish": { "channel": "room:1", "data": n } }).to_string()).collect();
    bob.say(&burst.join("\n")).await;
    world.remove(1, "ann").await;
    let mut next = 0;
    loop {
        let push = ann.push().await;
        if push == lost("room:1") {
            break;
        }
        assert_eq!(push["pub"]["data"], next, "in order and without a hole until then");
        next += 1;
    }
    for n in 0..60 {
        bob.reply(100 + n).await;
    }
    bob.publish("room:1", json!("behind")).await;
    ann.hears_nothing("it was the last word of the channel").await;
}

#[tokio::test]
async fn what_was_looked_up_before_a_change_does_not_outlive_it() {
    let world = World::begin().await;
    world.room(1, &["ann"]).await;
    let mut ann = enter(&world.server, "ann").await;
    for _ in 0..20 {
        let (id, ()) = tokio::join!(ann.send("subscribe", json!({ "channel": "room:1" })), world.remove(1, "ann"));
        let reply = ann.reply(id).await;
        if reply.get("subscribe").is_some() {
            assert_eq!(ann.push().await, lost("room:1"));
        } else {
            assert_eq!(reply, error(103, "permission denied"));
        }
        world.ask("PUT", "/resources/room:1/members/ann").await;
    }
    ann.subscribe("room:1").await;
}
