//! Clients that end at any point of any flow leave nothing behind: no session, no seat on a board, no text on its way,
//! no task and no descriptor.
//!
//! They end for as long as `LYCHGATE_ABRUPT_SECONDS` says, 10 seconds if it does not. `LYCHGATE_ABRUPT_SEED` brings the
//! same clients again; when exactly each byte arrives is the machine's to say.

mod client;
mod flows;
mod random;
mod world;

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use self::client::Client;
use self::random::Random;
use self::world::World;
use crate::harness::wait::until;

/// Clients at a time.
const CLIENTS: u64 = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_end_at_any_point_leave_nothing_behind() {
    let variable = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seconds = variable("LYCHGATE_ABRUPT_SECONDS").unwrap_or(10);
    let seed = variable("LYCHGATE_ABRUPT_SEED")
        .unwrap_or_else(|| u64::from(std::process::id()) ^ crate::harness::token::now());
    println!("LYCHGATE_ABRUPT_SEED={seed} LYCHGATE_ABRUPT_SECONDS={seconds}");

    let world = World::start().await;
    // Everybody goes all the way once and leaves in good order, so that what is opened once and kept is open.
    for _ in 0..2 {
        let mut whole = JoinSet::new();
        for flow in flows::all(&world) {
            whole.spawn(Client::whole(flow));
        }
        whole.join_all().await;
    }
    let before = settled(&world, "the whole flows").await;
    assert!(before.reached.iter().all(|(_, count)| *count > 0), "a flow was never gone through: {before:?}");

    let deadline = Instant::now() + Duration::from_secs(seconds);
    let mut clients = JoinSet::new();
    for n in 0..CLIENTS {
        let (world, mut random) = (world.clone(), Random::new(seed.wrapping_add(n)));
        clients.spawn(async move {
            let mut kept = Vec::new();
            let mut ended = 0_u64;
            while Instant::now() < deadline {
                let flow = random.pick(flows::all(&world));
                kept.extend(Client::abrupt(flow, &mut random).await);
                // Some stay as they are, connected and silent, until everything has been counted.
                if kept.len() > 20 {
                    kept.remove(0);
                }
                ended += 1;
            }
            (kept, ended)
        });
    }
    let ended = clients.join_all().await;
    let count: u64 = ended.iter().map(|(_, ended)| ended).sum();
    let kept: usize = ended.iter().map(|(kept, _)| kept.len()).sum();
    println!("{count} clients ended, {kept} of them only stopped");
    assert!(count > CLIENTS, "{count} clients say little");
    assert!(kept > 0, "nobody just stopped");
    let after = settled(&world, "what clients have left behind").await;
    assert_eq!(after.left, before.left);
    for ((name, then), (_, now)) in before.reached.iter().zip(&after.reached) {
        assert!(now > then, "no client came as far as {name} counts: {then} and {now}");
    }
    // And it serves as before.
    let mut whole = JoinSet::new();
    for flow in flows::all(&world) {
        whole.spawn(Client::whole(flow));
    }
    whole.join_all().await;
    drop(ended);
}

/// What the server holds once nothing of its clients is left, and how far clients have come.
#[derive(Debug)]
struct Settled {
    left: Vec<(&'static str, u64)>,
    reached: Vec<(&'static str, u64)>,
}

/// Waits until the server's own figures say that nobody is there, and the model and the application say so too.
async fn settled(world: &World, what: &str) -> Settled {
    until(what, async || {
        let metrics = world.server.metrics().await;
        let value = |name: &'static str| (name, metrics.value(name, &[]));
        let gone = [
            "lychgate_connections",
            "lychgate_hub_sessions",
            "lychgate_hub_channels",
            "lychgate_hub_subscriptions",
            "lychgate_hub_blocked_sessions",
            "lychgate_stream_runs",
            "lychgate_answer_runs",
            "lychgate_board_users",
            "lychgate_board_devices",
        ]
        .map(value);
        let tasks = |kind| metrics.value("lychgate_tasks", &[("kind", kind)]);
        let sockets = world.server.sockets() as u64;
        let mut left: Vec<_> = gone.into();
        left.push(("tasks of connections", tasks("connection")));
        left.push(("questions that the model is asked", world.model_is_asked()));
        left.push(("calls of the application", world.application_is_called()));
        if left.iter().any(|(_, count)| *count > 0) {
            return Err(format!("{left:?}, {sockets} sockets"));
        }
        // This request is one of them, and no other may be.
        left.push(("tasks beside connections", tasks("background")));
        left.push(("sockets", sockets));
        if (tasks("background"), sockets) != world.idle() {
            return Err(format!("{left:?} instead of {:?}", world.idle()));
        }
        let reached = [
            "lychgate_connects_total",
            "lychgate_refusals_total",
            "lychgate_logins_total",
            "lychgate_tickets_total",
            "lychgate_streams_total",
            "lychgate_answers_total",
            "lychgate_messages_received_total",
        ];
        Ok(Settled { left, reached: reached.map(value).into() })
    })
    .await
}
