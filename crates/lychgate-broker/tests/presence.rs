//! The copy of presence in a real Redis.

mod server;

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use lychgate_broker::{OpenError, RedisPresence};
use lychgate_service::ports::clock::SystemClock;
use lychgate_service::ports::presence_mirror::{Copied, MirrorError, PresenceMirror};
use lychgate_service::ports::readiness::Readiness;
use lychgate_service::presence::{Announce, BoardSettings, BoardSetup, Mirroring, Presence, SharedBoard};
use lychgate_service::principal::Principal;
use redis::AsyncCommands as _;
use secrecy::{ExposeSecret as _, SecretString};
use server::Server;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const TTL: Duration = Duration::from_secs(300);
/// Longer than any write waits, with all its tries, while the server is there.
const WRITE_WAIT: Duration = Duration::from_secs(30);
const FIELD: &str = RedisPresence::FIELD;

/// Asserts that a key runs out in 300 s, less the moment that the test took.
async fn assert_fresh(server: &Server, key: &str) {
    let ttl_ms: i64 = server.look().await.pttl(key).await.expect("it answers");
    assert!((290_000..=300_000).contains(&ttl_ms), "{key} runs out in {ttl_ms} ms");
}

async fn status(server: &Server, key: &str) -> Option<String> {
    server.look().await.hget(key, FIELD).await.expect("it answers")
}

#[tokio::test]
async fn a_state_is_one_field_of_a_hash_and_runs_out_unless_it_is_written_again() {
    let server = Server::start(None);
    let mirror = RedisPresence::open(&server.url(), FIELD).await.unwrap();
    let mut look = server.look().await;
    let () = look.hset("user:7", "theme", "dark").await.unwrap();
    mirror.set("user:7", &"online".into(), TTL).await.unwrap();
    assert_eq!(status(&server, "user:7").await.as_deref(), Some("online"));
    assert_eq!(look.hget::<_, _, String>("user:7", "theme").await.unwrap(), "dark", "other fields stay");
    assert_fresh(&server, "user:7").await;

    let () = look.expire("user:7", 5).await.unwrap();
    mirror.set("user:7", &"offline".into(), TTL).await.unwrap();
    assert_eq!(status(&server, "user:7").await.as_deref(), Some("offline"));
    assert_fresh(&server, "user:7").await;

    mirror.set("user:8", &"online".into(), Duration::from_millis(300)).await.unwrap();
    let ttl_ms: i64 = look.pttl("user:8").await.unwrap();
    assert!((0..=1_000).contains(&ttl_ms), "the shortest time is a second: {ttl_ms}");
}

#[tokio::test]
async fn the_field_has_the_name_it_was_given() {
    let server = Server::start(None);
    let mirror = RedisPresence::open(&server.url(), "state of mind").await.unwrap();
    mirror.set("a key of {any} kind", &"busy".into(), TTL).await.unwrap();
    let state: String = server.look().await.hget("a key of {any} kind", "state of mind").await.unwrap();
    assert_eq!(state, "busy");
}

#[tokio::test]
async fn a_whole_value_takes_the_place_of_whatever_was_there_and_is_published_with_it() {
    let server = Server::start(None);
    let mirror = RedisPresence::open(&server.url(), FIELD).await.unwrap().whole().publishing("presence");
    let mut look = server.look().await;
    let () = look.hset("user:7", "theme", "dark").await.unwrap();
    let (client, mut listening) = (redis::Client::open(server.url().expose_secret()).unwrap(), Vec::new());
    let mut heard = client.get_async_pubsub().await.unwrap();
    heard.subscribe("presence").await.unwrap();
    mirror.set("user:7", &"plain".into(), TTL).await.unwrap();
    let own = Copied { value: "kept".into(), message: Some("told".into()) };
    mirror.set("user:7", &own, TTL).await.unwrap();
    assert_eq!(look.get::<_, String>("user:7").await.unwrap(), "kept");
    assert_fresh(&server, "user:7").await;
    let mut messages = heard.on_message();
    for _ in 0..2 {
        let message = timeout(WRITE_WAIT, messages.next()).await.expect("it is published").expect("Redis is there");
        listening.push(message.get_payload::<String>().unwrap());
    }
    assert_eq!(listening, ["plain", "told"]);
}

#[tokio::test]
async fn a_key_that_is_no_hash_is_refused_and_the_connection_goes_on() {
    let server = Server::start(None);
    let mirror = RedisPresence::open(&server.url(), FIELD).await.unwrap();
    let () = server.look().await.set("user:7", "a text").await.unwrap();
    assert!(matches!(mirror.set("user:7", &"online".into(), TTL).await, Err(MirrorError::Refused(_))));
    mirror.set("user:8", &"online".into(), TTL).await.unwrap();
    assert_eq!(status(&server, "user:8").await.as_deref(), Some("online"));
}

#[tokio::test]
async fn readiness_follows_the_server() {
    let mut server = Server::start(None);
    let mirror = RedisPresence::open(&server.url(), FIELD).await.unwrap();
    assert_eq!((mirror.name(), mirror.is_ready().await), ("redis", true));
    server.kill();
    assert!(!mirror.is_ready().await);
    assert!(matches!(mirror.set("user:7", &"online".into(), TTL).await, Err(MirrorError::Unavailable(_))));
    assert!(matches!(RedisPresence::open(&server.url(), FIELD).await, Err(OpenError::Unavailable { .. })));
    server.restart();
    assert!(mirror.is_ready().await);
    mirror.set("user:7", &"online".into(), TTL).await.unwrap();
}

#[tokio::test]
async fn a_server_that_says_nothing_holds_nobody_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = SecretString::from(format!("redis://{}", listener.local_addr().unwrap()));
    let mirror = RedisPresence::new(&url, FIELD).unwrap();
    let start = Instant::now();
    assert!(!mirror.is_ready().await);
    assert!(start.elapsed() < Duration::from_millis(1_900), "{:?}", start.elapsed());
    let start = Instant::now();
    let writes = join_all((0..32).map(async |_| mirror.set("user:7", &"online".into(), TTL).await)).await;
    assert!(writes.iter().all(Result::is_err));
    assert!(start.elapsed() < Duration::from_millis(3_900), "all share one attempt: {:?}", start.elapsed());
    assert!(matches!(RedisPresence::open(&url, FIELD).await, Err(OpenError::Unavailable { .. })));
}

/// Everything that an error says, to people and to programmers, down to the last cause.
fn all_that_is_said(error: &dyn Error) -> String {
    let mut said = format!("{error:?}");
    let mut next = Some(error);
    while let Some(error) = next {
        said += &format!(" {error}");
        next = error.source();
    }
    said
}

#[tokio::test]
async fn no_error_says_the_password() {
    const RIGHT: &str = "correct-horse";
    const WRONG: &str = "battery-staple";
    let mut server = Server::start(Some(RIGHT));
    let mirror = RedisPresence::open(&server.url(), FIELD).await.unwrap();
    mirror.set("user:7", &"online".into(), TTL).await.unwrap();

    let mut said = Vec::new();
    for password in [Some(WRONG), None] {
        let refused = RedisPresence::open(&server.url_with(password), FIELD).await.err().unwrap();
        assert!(matches!(refused, OpenError::Refused { .. }), "{refused:?}");
        said.push(all_that_is_said(&refused));
    }
    let wrong = RedisPresence::new(&server.url_with(Some(WRONG)), FIELD).unwrap();
    assert!(!wrong.is_ready().await);
    said.push(all_that_is_said(&wrong.set("user:7", &"online".into(), TTL).await.unwrap_err()));
    server.kill();
    said.push(all_that_is_said(&mirror.set("user:7", &"online".into(), TTL).await.unwrap_err()));
    said.push(all_that_is_said(&RedisPresence::open(&server.url(), FIELD).await.err().unwrap()));
    said.push(mirror.address());
    for url in [
        "redis://:battery-staple@127.0.0.1:x/0",
        "redis://:battery-staple@127.0.0.1/zero",
        "redis://:battery-staple@127.0.0.1/?protocol=battery-staple",
        "rediss://:battery-staple@127.0.0.1",
        "unix:///tmp/redis.sock?db=x&pass=battery-staple",
        "http://:battery-staple@127.0.0.1",
        "battery-staple",
    ] {
        let fault = RedisPresence::new(&SecretString::from(url), FIELD).err().expect(url);
        assert!(matches!(fault, OpenError::Url { .. }), "{url}");
        said.push(all_that_is_said(&fault));
    }
    for text in said {
        assert!(!text.contains(RIGHT) && !text.contains(WRONG), "{text}");
    }
}

/// The real copy, which tells of every write once it is done: the key, the state, and whether it was written.
struct Told {
    redis: RedisPresence,
    done: mpsc::Sender<(String, bool)>,
}

#[async_trait]
impl PresenceMirror for Told {
    async fn set(&self, key: &str, copied: &Copied, ttl: Duration) -> Result<(), MirrorError> {
        let answer = self.redis.set(key, copied, ttl).await;
        let _ = self.done.send((format!("{key} {}", copied.value), answer.is_ok())).await;
        answer
    }
}

/// A board that is copied to a server.
struct World {
    board: Arc<SharedBoard>,
    done: mpsc::Receiver<(String, bool)>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl World {
    async fn new(server: &Server) -> Self {
        let (sender, done) = mpsc::channel(1_000);
        let redis = RedisPresence::open(&server.url(), FIELD).await.expect("it is there");
        let mirroring = Mirroring {
            mirror: Arc::new(Told { redis, done: sender }),
            key: Arc::new(|user: &Principal| format!("user:{}", user.id())),
            form: Arc::default(),
            clock: Arc::new(SystemClock),
            ttl: TTL,
        };
        let setup =
            BoardSetup { name: "people".into(), settings: BoardSettings::default(), mirroring: Some(mirroring) };
        let announce: Announce = Arc::new(|_, _| ());
        let presence = Presence::new(vec![setup], &announce).expect("the settings are in order");
        let board = presence.board("people").expect("it is configured");
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn({
            let stop = stop.clone();
            async move { presence.run(stop).await }
        });
        tasks.close();
        Self { board, done, stop, tasks }
    }

    /// The next write that is done.
    async fn next(&mut self) -> (String, bool) {
        timeout(WRITE_WAIT, self.done.recv()).await.expect("a write ends in time").expect("the board is there")
    }

    /// Waits until `state` is written; failures before it are passed over.
    async fn written(&mut self, state: &str) {
        while self.next().await != (state.into(), true) {}
    }

    async fn stop(&self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

fn user(id: &str) -> Principal {
    Principal::from_verified_subject(id, None)
}

#[tokio::test]
async fn a_user_with_two_devices_is_offline_when_the_last_one_has_left() {
    let server = Server::start(Some("correct-horse"));
    let mut world = World::new(&server).await;
    let phone = world.board.arrive(&user("7")).unwrap();
    world.written("user:7 online").await;
    assert_fresh(&server, "user:7").await;
    let desk = world.board.arrive(&user("7")).unwrap();
    world.written("user:7 online").await;
    phone.set("dnd");
    world.written("user:7 dnd").await;

    let () = server.look().await.expire("user:7", 5).await.unwrap();
    desk.life();
    world.written("user:7 dnd").await;
    assert_fresh(&server, "user:7").await;

    drop(phone);
    desk.life();
    world.written("user:7 dnd").await;
    assert_eq!(status(&server, "user:7").await.as_deref(), Some("dnd"), "the other device is there");
    let () = server.look().await.expire("user:7", 5).await.unwrap();
    drop(desk);
    world.written("user:7 offline").await;
    assert_eq!(status(&server, "user:7").await.as_deref(), Some("offline"));
    assert_fresh(&server, "user:7").await;
    world.stop().await;
}

#[tokio::test]
async fn after_an_outage_the_newest_states_arrive() {
    let mut server = Server::start(None);
    let mut world = World::new(&server).await;
    let (ann, bob) = (world.board.arrive(&user("ann")).unwrap(), world.board.arrive(&user("bob")).unwrap());
    world.written("user:bob online").await;
    server.kill();
    ann.set("dnd");
    while world.next().await.1 {}
    ann.set("away");
    drop(bob);
    assert_eq!(world.board.mirror_figures().unwrap().waiting, 2);
    server.restart();
    let mut due = vec!["user:ann away".to_owned(), "user:bob offline".to_owned()];
    while !due.is_empty() {
        let (state, is_written) = world.next().await;
        assert!(!is_written || due.contains(&state), "{state} is not the newest");
        due.retain(|other| !is_written || *other != state);
    }
    assert_eq!(status(&server, "user:ann").await.as_deref(), Some("away"));
    assert_eq!(status(&server, "user:bob").await.as_deref(), Some("offline"));
    assert_fresh(&server, "user:ann").await;
    world.stop().await;
    let figures = world.board.mirror_figures().unwrap();
    assert!(figures.failed > 0);
    assert_eq!((figures.waiting, figures.dropped, figures.refused), (0, 0, 0));
}

#[tokio::test]
async fn the_end_of_the_server_leaves_everybody_offline() {
    let server = Server::start(None);
    let world = World::new(&server).await;
    let seats: Vec<_> = (0..500).map(|id| world.board.arrive(&user(&id.to_string())).unwrap()).collect();
    drop(seats);
    world.stop().await;
    for id in [0, 250, 499] {
        assert_eq!(status(&server, &format!("user:{id}")).await.as_deref(), Some("offline"));
    }
}
