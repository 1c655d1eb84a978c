//! A client that is cut at a thousand random moments while ten thousand messages flow.
//!
//! It ends with every message once and in order; or it was told, there and then, that some are lost.
//! The moments come from a seed, which is printed; `LYCHGATE_SEED` sets it.

use std::cell::Cell;
use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::sync::{Semaphore, watch};

use super::client::Client;
use super::setup;
use crate::harness::token::own;
use crate::harness::wait::within;
use crate::harness::{Server, Wire};

const MESSAGES: u64 = 10_000;
const CUTS: u64 = 1_000;

/// What is laid over the configuration so that nothing but the cuts keeps messages from the client.
const UNLIMITED: &str = "
[limits]
messages_per_second = 1_000_000
messages_burst = 1_000_000
connects_per_second_per_address = 1_000_000
connects_burst_per_address = 1_000_000
connections_per_user = 10_000
connections_per_address = 10_000
publications_per_answer = 10_000
";

/// Numbers from a seed, by splitmix64.
pub(crate) struct Random(pub(crate) Cell<u64>);

impl Random {
    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.0.set(self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut mixed = self.0.get();
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

#[expect(clippy::print_stdout, reason = "a failure is repeated by its seed")]
pub(crate) fn seed() -> u64 {
    let given = env::var("LYCHGATE_SEED").ok().and_then(|text| text.parse().ok());
    let seed =
        given.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(7, |now| now.as_nanos() as u64));
    println!("LYCHGATE_SEED={seed}");
    seed
}

/// The client's memory of the channel, which outlives its connections.
struct Reader<'a> {
    server: &'a Server,
    channel: &'a str,
    token: String,
    /// The place up to which it has everything, or knows what it has lost.
    epoch: Option<String>,
    offset: u64,
    received: u64,
    /// How often it was told that something is lost, and how much that was.
    losses: u64,
    lost: u64,
}

impl Reader<'_> {
    /// Connects and comes back to the channel in one message, and reads nothing.
    async fn open(&self) -> Client {
        let mut client = Client::open(self.server, "/many").await;
        let mut subscribe = json!({ "channel": self.channel, "recoverable": true });
        if let Some(epoch) = &self.epoch {
            subscribe = json!({ "channel": self.channel, "recover": true, "epoch": epoch, "offset": self.offset });
        }
        let connect = json!({ "id": 1, "connect": { "token": self.token } });
        client.say(&format!("{connect}\n{}", json!({ "id": 2, "subscribe": subscribe }))).await;
        client
    }

    /// Takes what one line says.
    fn take(&mut self, line: &Value) {
        assert_eq!(line.get("error"), None, "{line}");
        let result = &line["subscribe"];
        if let Some(publication) = line["push"].get("pub") {
            self.accept(publication);
        } else if result.is_object() {
            let epoch = result["epoch"].as_str().expect("an epoch");
            let top = result["offset"].as_u64().unwrap_or(0);
            if self.epoch.is_none() {
                // It begins where it came in.
                (self.epoch, self.offset) = (Some(epoch.to_owned()), top);
                assert_eq!(top, 0, "nothing is published before the first connection");
            } else if result["recovered"] == true {
                assert_eq!(top, self.offset, "it goes on where it was: {result}");
            } else {
                assert!(top > self.offset, "told of a loss where there is none: {result}");
                assert_eq!(result.get("publications"), None, "never a part of it");
                self.losses += 1;
                self.lost += top - self.offset;
                self.offset = top;
            }
            for publication in result["publications"].as_array().into_iter().flatten() {
                self.accept(publication);
            }
        }
    }

    fn accept(&mut self, publication: &Value) {
        assert_eq!(publication["offset"], self.offset + 1, "the next one, and no other");
        assert_eq!(publication["data"], self.offset + 1, "the one that was published then");
        self.offset += 1;
        self.received += 1;
    }

    /// Reads so many lines, as long as there is something that must still come.
    async fn read(&mut self, client: &mut Client, lines: u64, until: u64) {
        for _ in 0..lines {
            if self.epoch.is_some() && self.offset >= until {
                return;
            }
            let line = client.line().await;
            if line == json!({}) {
                client.say("{}").await;
            }
            self.take(&line);
        }
    }
}

/// Publishes one number after the other, each as soon as there is leave for it.
async fn publish(server: &Server, channel: &str, leave: &Semaphore, published: &watch::Sender<u64>) {
    let mut client = Client::enter(server, "/many", "publisher").await;
    for n in 1..=MESSAGES {
        within("leave to publish", leave.acquire()).await.expect("it stays open").forget();
        client.publish(channel, json!(n)).await;
        published.send_replace(n);
    }
}

/// The client's life; gives its memory at the end.
async fn live(server: &Server, channel: &str, seed: u64) -> (u64, u64, u64) {
    let random = Random(Cell::new(seed));
    let (leave, (published, mut seen)) = (Semaphore::new(0), watch::channel(0));
    let token = own("reader");
    let mut reader = Reader { server, channel, token, epoch: None, offset: 0, received: 0, losses: 0, lost: 0 };
    let mut first = reader.open().await;
    reader.read(&mut first, 2, 0).await;
    drop(first);
    let reading = async {
        let each = MESSAGES / CUTS;
        for cut in 1..=CUTS {
            leave.add_permits(usize::try_from(each).expect("ten"));
            if cut % 100 == 0 {
                // So long away that a small history cannot hold all of it.
                seen.wait_for(|published| *published >= cut * each).await.expect("it publishes");
            }
            let mut client = reader.open().await;
            match random.below(4) {
                // At once, whatever the server has begun to do.
                0 => {}
                // In the middle of a line.
                1 => drop(half_a_line(&mut client.wire, random.below(600)).await),
                // Somewhere, with all that it has heard.
                _ => reader.read(&mut client, random.below(25), cut * each).await,
            }
        }
        let mut last = reader.open().await;
        reader.read(&mut last, u64::MAX, MESSAGES).await;
    };
    tokio::join!(publish(server, channel, &leave, &published), reading);
    assert_eq!(reader.received + reader.lost, MESSAGES, "each was received, or known to be lost");
    (reader.received, reader.losses, reader.lost)
}

/// Reads so many bytes at most, which the client then knows nothing of.
async fn half_a_line(wire: &mut Wire, bytes: u64) -> Vec<u8> {
    let mut read = vec![0; usize::try_from(bytes).unwrap_or(0) + 1];
    let taken = within("some bytes", wire.tcp.read(&mut read)).await.expect("the server is there");
    read.truncate(taken);
    read
}

#[tokio::test]
async fn a_thousand_cuts_lose_nothing_that_is_kept() {
    let server = setup().over(UNLIMITED).start().await;
    assert_eq!(live(&server, "log:all", seed()).await, (MESSAGES, 0, 0));
}

#[tokio::test]
async fn what_is_not_kept_is_said_to_be_lost() {
    let server = setup().over(UNLIMITED).over("[namespace.ring]\nhistory_size = 5\n").start().await;
    let (received, losses, lost) = live(&server, "ring:few", seed()).await;
    assert!(received > 0 && losses > 0 && lost > 0, "{received} received, {losses} times {lost} lost");
}
