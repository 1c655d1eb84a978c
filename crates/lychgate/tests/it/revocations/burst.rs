//! A revocation in the middle of a burst: nothing that is published behind it reaches the socket.

use serde_json::json;

use super::{CONFIG, Marked, REVOKED, enter, told};
use crate::harness::http::{form, post_form};
use crate::harness::token::now;
use crate::harness::{Client, Setup};

const MESSAGES: u64 = 1_000;

/// Hears until the close; gives the numbers that were heard.
async fn hear_to_the_end(client: &mut Client) -> Vec<u64> {
    let mut heard = Vec::new();
    loop {
        match client.hear_or_closed().await {
            Ok(message) => heard.extend(message["n"].as_u64()),
            Err(close) => {
                assert_eq!(close, told(REVOKED));
                return heard;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_published_behind_a_revocation_arrives() {
    let limits = "[limits]\nmessages_per_second = 1000000\nmessages_burst = 1000000\n";
    let server = Setup::of(CONFIG).over(limits).start().await;
    for round in 0..4 {
        let jti = format!("t{round}");
        let token = Marked::of("ann", &jti, "s", now());
        let mut ann = enter(&server, &token).await;
        let mut bob = enter(&server, &Marked::of("bob", "b", "b", now())).await;
        let mut carol = enter(&server, &Marked::of("carol", "c", "c", now())).await;
        let body = form(&[("token", &token.text)]);
        let at = MESSAGES / 4 * (round + 1) / 2;
        for n in 0..at {
            bob.say(&json!({ "n": n }).to_string()).await;
        }
        let revoking = post_form(server.address, "/revoke", &body, "");
        // The burst goes on while the revocation is under way: what of that arrives nobody can say.
        let mut n = at;
        tokio::pin!(revoking);
        let reply = loop {
            let message = json!({ "n": n }).to_string();
            tokio::select! {
                reply = &mut revoking => break reply,
                () = bob.say(&message) => n += 1,
            }
        };
        assert_eq!(reply.status, 200, "{reply:?}");
        let first_behind = n + 1;
        for n in first_behind..first_behind + MESSAGES {
            bob.say(&json!({ "n": n }).to_string()).await;
        }
        let heard = hear_to_the_end(&mut ann).await;
        assert!(heard.len() as u64 <= first_behind, "round {round}: {} messages", heard.len());
        assert!(heard.iter().all(|n| *n < first_behind), "round {round}: {:?} arrived", heard.last());
        assert!(heard.windows(2).all(|pair| pair[0] < pair[1]), "round {round}: in their order");
        // Everybody else heard all of it.
        let last = first_behind + MESSAGES - 1;
        let mut carols = 0;
        loop {
            let message = carol.hear().await;
            carols += 1;
            if message["n"] == last {
                break;
            }
        }
        assert!(carols >= MESSAGES + at, "round {round}: carol heard {carols}");
    }
}
