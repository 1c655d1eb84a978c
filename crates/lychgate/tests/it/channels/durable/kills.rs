//! A server that is killed at random moments under load loses nothing that it has acknowledged.
//!
//! The moments come from a seed, which is printed; `LYCHGATE_SEED` sets it. When exactly the disk has which byte is the
//! machine's to say.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::super::client::Client;
use super::super::cuts::{Random, seed};
use super::World;
use crate::harness::Server;
use crate::harness::http::reply;
use crate::harness::token::own;
use crate::harness::wait::within;

const KILLS: u64 = 20;
const PUBLISHERS: u64 = 4;

/// What the world has been told, over all lives of the server.
#[derive(Default)]
struct Told {
    /// Each publication that was acknowledged, and its place, where that was told.
    acknowledged: RefCell<Vec<(Value, Option<u64>)>>,
    /// What the next publication of anybody is called. None is sent a second time.
    next: Cell<u64>,
    /// Commands that were sent and acknowledgements that came, in this life.
    events: watch::Sender<u64>,
}

impl Told {
    fn count(&self) {
        self.events.send_modify(|events| *events += 1);
    }

    /// Publishes until the server is gone.
    async fn publish(&self, mut client: Client, publisher: u64) {
        loop {
            let data = json!({ "by": publisher, "n": self.next.replace(self.next.get() + 1) });
            let command = json!({ "id": 1, "publish": { "channel": "ledger:a", "data": data } });
            client.say(&command.to_string()).await;
            self.count();
            loop {
                match client.try_line().await {
                    None => return,
                    Some(line) if line == json!({}) => client.say("{}").await,
                    Some(line) => {
                        assert_eq!(line, json!({ "id": 1, "publish": {} }));
                        self.acknowledged.borrow_mut().push((data, None));
                        self.count();
                        break;
                    }
                }
            }
        }
    }
}

impl Told {
    /// Publishes as the application does until the server is gone.
    async fn publish_by_api(&self, server: &Server, key: &str) {
        // A server that is gone takes no connection, or hangs up.
        while let Ok(mut tcp) = TcpStream::connect(server.address).await {
            let data = json!({ "by": PUBLISHERS, "n": self.next.replace(self.next.get() + 1) });
            let body = json!({ "channel": "ledger:a", "data": data }).to_string();
            let length = body.len();
            let head = format!(
                "POST /api/publish HTTP/1.1\r\nhost: gate\r\nx-api-key: {key}\r\ncontent-length: {length}\r\n\r\n"
            );
            let _ = tcp.write_all(format!("{head}{body}").as_bytes()).await;
            self.count();
            let Some(reply) = reply(&mut tcp).await else { return };
            let offset = reply.json()["result"]["offset"].as_u64();
            assert!(offset.is_some(), "{reply:?}");
            self.acknowledged.borrow_mut().push((data, offset));
            self.count();
        }
    }
}

/// A client that comes back after each life with the place that it has.
#[derive(Default)]
struct Reader {
    epoch: Option<Value>,
    /// Everything that it has heard; the first one is that of offset 1.
    heard: Vec<Value>,
}

impl Reader {
    async fn open(&mut self, server: &Server) -> Client {
        let mut client = Client::enter_with(server, "/many", &own("reader")).await;
        let mut asked = json!({ "channel": "ledger:a", "recoverable": true });
        if let Some(epoch) = &self.epoch {
            asked = json!({ "channel": "ledger:a", "recover": true, "epoch": epoch, "offset": self.heard.len() });
        }
        let result = client.result("subscribe", asked).await;
        match &self.epoch {
            None => assert_eq!(result.get("offset"), None, "nothing is published before it is there: {result}"),
            Some(epoch) => {
                assert_eq!(result["recovered"], true, "{result}");
                assert_eq!(result["epoch"], *epoch, "{result}");
            }
        }
        self.epoch = Some(result["epoch"].clone());
        for publication in result["publications"].as_array().into_iter().flatten() {
            self.take(publication);
        }
        client
    }

    fn take(&mut self, publication: &Value) {
        assert_eq!(publication["offset"], self.heard.len() + 1, "the next one, and no other");
        self.heard.push(publication["data"].clone());
    }

    /// Listens until the server is gone.
    async fn listen(&mut self, mut client: Client) {
        while let Some(line) = client.try_line().await {
            if let Some(publication) = line["push"].get("pub") {
                self.take(publication);
            } else if line == json!({}) {
                client.say("{}").await;
            }
        }
    }
}

#[tokio::test]
async fn twenty_kills_lose_nothing_that_was_acknowledged() {
    let random = Random(Cell::new(seed()));
    let (told, mut reader) = (Told::default(), Reader::default());
    let (mut server, mut world) = World::new().start().await;
    for life in 1..=KILLS {
        let client = reader.open(&server).await;
        let mut publishers = Vec::new();
        for publisher in 0..PUBLISHERS {
            publishers.push(Client::enter(&server, "/many", &format!("publisher-{publisher}")).await);
        }
        let before = told.acknowledged.borrow().len();
        told.events.send_replace(0);
        let mut seen = told.events.subscribe();
        // At the third of them or at the three hundredth, whatever the server is doing then.
        let until = 3 + random.below(300);
        let killing = async {
            within("some load", seen.wait_for(|events| *events >= until)).await.expect("it is open");
            server.process.kill();
        };
        let publishing =
            join_all(publishers.into_iter().zip(0..).map(|(client, publisher)| told.publish(client, publisher)));
        tokio::join!(killing, publishing, told.publish_by_api(&server, &world.key), reader.listen(client));
        let acknowledged = told.acknowledged.borrow().len() - before;
        println!("life {life}: killed at {until}, {acknowledged} acknowledged");
        server.process.exited().await;
        (server, world) = world.start().await;
    }
    drop(reader.open(&server).await);

    let mut times: HashMap<u64, usize> = HashMap::new();
    let mut last_by: HashMap<u64, u64> = HashMap::new();
    for data in &reader.heard {
        let (by, n) = (data["by"].as_u64().expect("a publisher"), data["n"].as_u64().expect("a number"));
        *times.entry(n).or_default() += 1;
        let last = last_by.insert(by, n);
        assert!(last.is_none_or(|last| last < n), "publisher {by}: {n} comes behind {last:?}");
    }
    assert!(times.values().all(|times| *times == 1), "twice: {times:?}");
    let acknowledged = told.acknowledged.into_inner();
    for (data, offset) in &acknowledged {
        let n = data["n"].as_u64().expect("a number");
        assert!(times.contains_key(&n), "{data} was acknowledged, and is lost");
        if let Some(offset) = offset {
            let index = usize::try_from(offset - 1).expect("a place");
            assert_eq!(reader.heard.get(index), Some(data), "another publication has the place {offset}");
        }
    }
    assert!(acknowledged.len() > 100, "{} say little", acknowledged.len());
    // What was heard live has its place for good.
    let history = world.call(&server, "history", json!({ "channel": "ledger:a", "limit": -1 })).await;
    assert_eq!(super::data(&history["result"]["publications"]), reader.heard);
}
