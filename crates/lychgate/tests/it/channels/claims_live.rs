//! Channels that a token puts a client into, while others publish in them all the time: nothing is lost, nothing comes
//! twice, and nothing comes before the answer to the connect.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::sync::watch;

use super::client::Client;
use super::{setup, signed};

const CHANNELS: [&str; 6] = ["log:a", "log:b", "log:c", "log:d", "log:e", "log:f"];

const VISITS: usize = 300;

/// How often each channel is published to in one message.
const ROUNDS: u64 = 20;

/// What is laid over the configuration so that nothing keeps anybody from publishing.
const UNLIMITED: &str = "
[limits]
messages_per_second = 1_000_000
messages_burst = 1_000_000
connects_per_second_per_address = 1_000_000
connects_burst_per_address = 1_000_000
connections_per_user = 10_000
publications_per_answer = 10_000
";

/// What one reader has of each channel, over all its connections.
#[derive(Default)]
struct Reader {
    epochs: BTreeMap<String, String>,
    reached: BTreeMap<String, u64>,
}

impl Reader {
    /// Connects from where it is, and takes what the answer says, which has to be the first line of all.
    async fn come(&mut self, client: &mut Client, token: &str) {
        let known = |channel: &&str| {
            let (epoch, offset) = (self.epochs.get(*channel)?, self.reached.get(*channel)?);
            Some((channel.to_string(), json!({ "recover": true, "epoch": epoch, "offset": offset })))
        };
        let subs: serde_json::Map<String, Value> = CHANNELS.iter().filter_map(known).collect();
        client.send("connect", json!({ "token": token, "subs": subs })).await;
        let line = client.line().await;
        let told = line["connect"]["subs"].as_object().unwrap_or_else(|| panic!("the answer comes first: {line}"));
        for channel in CHANNELS {
            let sub = &told[channel];
            let offset = sub["offset"].as_u64().unwrap_or(0);
            let epoch = sub["epoch"].as_str().expect("it counts").to_owned();
            if let Some(reached) = self.reached.get(channel) {
                assert_eq!((&sub["recovered"], offset), (&json!(true), *reached), "{channel}: {sub}");
            }
            self.epochs.insert(channel.to_owned(), epoch);
            self.reached.insert(channel.to_owned(), offset);
            for publication in sub["publications"].as_array().into_iter().flatten() {
                self.accept(channel, publication);
            }
        }
    }

    fn accept(&mut self, channel: &str, publication: &Value) {
        let reached = self.reached.get_mut(channel).expect("it was entered");
        *reached += 1;
        assert_eq!(publication["offset"], *reached, "{channel}: the next one, and no other");
        assert_eq!(publication["data"], *reached, "{channel}: what was published then");
    }

    async fn read(&mut self, client: &mut Client, lines: usize) {
        for _ in 0..lines {
            let push = client.push().await;
            self.accept(push["channel"].as_str().expect("a channel"), &push["pub"]);
        }
    }
}

#[tokio::test]
async fn whoever_connects_stands_in_all_channels_at_one_moment() {
    let server = setup().over(UNLIMITED).start().await;
    let (is_over, over) = watch::channel(false);
    let publishing = async {
        let mut client = Client::enter(&server, "/many", "publisher").await;
        let mut rounds = 0;
        while !*over.borrow() {
            // Many in one message, so that some are handed out while somebody comes in.
            let publish =
                |(round, channel): (u64, &str)| json!({ "id": 1, "publish": { "channel": channel, "data": round } });
            let all = (rounds + 1..=rounds + ROUNDS).flat_map(|round| CHANNELS.map(|channel| (round, channel)));
            let lines: Vec<_> = all.map(|one| publish(one).to_string()).collect();
            client.say(&lines.join("\n")).await;
            for _ in &lines {
                assert_eq!(client.line().await["publish"], json!({}));
            }
            rounds += ROUNDS;
        }
        rounds
    };
    let reading = async {
        let channels = json!(CHANNELS).to_string();
        let token = signed(&[("sub", r#""reader""#), ("channels", &channels)]);
        let mut reader = Reader::default();
        for visit in 0..VISITS {
            let mut client = Client::open(&server, "/many").await;
            reader.come(&mut client, &token).await;
            reader.read(&mut client, visit % 7 * 3).await;
        }
        is_over.send_replace(true);
        (reader, token)
    };
    let (rounds, (mut reader, token)) = tokio::join!(publishing, reading);
    // Whatever was published has come: in the answers, or live.
    let mut last = Client::open(&server, "/many").await;
    reader.come(&mut last, &token).await;
    for channel in CHANNELS {
        assert_eq!(reader.reached[channel], rounds, "{channel}");
    }
    assert!(rounds > VISITS as u64, "{rounds} rounds while it came and went");
}
