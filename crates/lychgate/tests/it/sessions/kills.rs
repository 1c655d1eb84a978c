//! A server that is killed at random moments of a burst loses no login, rotation or logout that it has acknowledged.
//!
//! The moments come from a seed, which is printed; `LYCHGATE_SEED` sets it.

use std::cell::Cell;

use futures_util::future::join_all;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::{Session, log_in, refused, setup, show, stays_out};
use crate::channels::cuts::{Random, seed};
use crate::harness::Server;
use crate::harness::http::{Reply, form, reply};
use crate::harness::wait::within;

const KILLS: u64 = 8;
const CLIENTS: usize = 6;

/// What one client has been told, over all lives of the server.
struct Known {
    /// The newest refresh token that was acknowledged.
    session: Session,
    /// Whether the last request had no answer.
    is_unsure: bool,
}

/// Posts a form; nothing, when the server is gone.
async fn post(server: &Server, path: &str, body: &str) -> Option<Reply> {
    let mut tcp = TcpStream::connect(server.address).await.ok()?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: gate\r\nconnection: close\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    tcp.write_all(format!("{head}{body}").as_bytes()).await.ok()?;
    reply(&mut tcp).await
}

/// Rotates until the server is gone.
async fn rotate(server: &Server, mut known: Known, events: &watch::Sender<u64>) -> Known {
    loop {
        let body = form(&[("grant_type", "refresh_token"), ("refresh_token", &known.session.refresh)]);
        events.send_modify(|events| *events += 1);
        let Some(reply) = post(server, "/token", &body).await else {
            return Known { is_unsure: true, ..known };
        };
        known = Known { session: Session::of(&reply), is_unsure: false };
        events.send_modify(|events| *events += 1);
    }
}

/// Logs out again and again until the server is gone; gives the sessions whose end was acknowledged.
async fn log_out(server: &Server, sessions: Vec<Session>) -> (Vec<Session>, Vec<Session>) {
    let (mut ended, mut left) = (Vec::new(), sessions);
    while let Some(session) = left.pop() {
        match post(server, "/revoke", &form(&[("token", &session.refresh)])).await {
            Some(reply) => {
                assert_eq!(reply.status, 200, "{reply:?}");
                ended.push(session);
            }
            None => break,
        }
    }
    (ended, left)
}

#[tokio::test]
async fn kills_lose_nothing_that_was_acknowledged() {
    let random = Random(Cell::new(seed()));
    let (mut server, mut world) = setup().start_and_keep().await;
    let mut known = Vec::new();
    for _ in 0..CLIENTS {
        known.push(Known { session: log_in(&server, "alice").await, is_unsure: false });
    }
    let mut rotations = 0;
    for life in 1..=KILLS {
        let mut to_end = Vec::new();
        for _ in 0..4 {
            to_end.push(log_in(&server, "alice").await);
        }
        let events = watch::Sender::new(0);
        let mut seen = events.subscribe();
        let until = 3 + random.below(60);
        let killing = async {
            within("some load", seen.wait_for(|events| *events >= until)).await.expect("it is open");
            server.process.kill();
        };
        let rotating = join_all(known.into_iter().map(|known| rotate(&server, known, &events)));
        let (rotated, (ended, _), ()) = tokio::join!(rotating, log_out(&server, to_end), killing);
        let count = *events.borrow();
        rotations += count / 2;
        println!("life {life}: killed at {until}, {count} events, {} logouts", ended.len());
        server.process.exited().await;
        (server, world) = world.start_and_keep().await;
        for session in &ended {
            refused(&server, &session.refresh).await;
            stays_out(&server, &session.access).await;
        }
        known = Vec::new();
        for client in rotated {
            // The newest that was acknowledged is live; or it was used by the request that has no answer, and then its
            // answer is given once more.
            let reply = show(&server, &client.session.refresh).await;
            let session = Session::of(&reply);
            known.push(Known { session, is_unsure: client.is_unsure });
        }
    }
    assert!(rotations > 20, "{rotations} say little");
    drop(world);
}
