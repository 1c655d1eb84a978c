//! A server with a flow of every kind, a model and an application that may never come to an end, and their counts.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::harness::application::SECRET;
use crate::harness::{Server, Setup};

pub(super) const PASSWORD: &str = "seven green bottles";

const CONFIG: &str = r#"
[limits]
connections_per_user = 100000
connections_per_address = 100000
connects_per_second_per_address = 100000
connects_burst_per_address = 100000
handshake_timeout = "2s"
ping_interval = "4s"
pong_timeout = "4s"
close_timeout = "2s"
no_progress_timeout = "2s"

[login]
path = "/login"
body = "json"

[ticket]
enabled = true

[board.people]
grace = "0s"
states = ["online", "away"]

[endpoint.chat]
path = "/chat/{room:int}"
channel = "chat:{room}"
inbox = "user:{user.id}"
history_on_join = 20
keep = 50
profile = "said"
board = "people"

[endpoint.chat.codec]
welcome = { type = "welcome" }
join = { send = { type = "joined", who = "{user.id}" }, to = "others" }
leave = { send = { type = "left", who = "{user.id}" } }

[endpoint.chat.codec.in.say]
act = "store"
send = { type = "said", text = "{in.text}", by = "{user.id}" }

[endpoint.people]
path = "/people"
channel = "people"
board = "people"

[endpoint.people.codec]
presence_update = { type = "update", user = "{user.id}", status = "{status}" }
presence_list = { type = "list", people = "{people}" }
presence_person = { user = "{user.id}", status = "{status}" }

[endpoint.people.codec.in.state]
act = "presence_set"
reply = { type = "state", status = "{status}" }

[endpoint.text]
kind = "stream"
path = "/text/{entry:int}"
channel = "text:{entry}"

[endpoint.text.stream]
source = "model"
request = { prompt = "{entry}" }
grace = "200ms"

[endpoint.ask]
path = "/ask"
channel = "ask:{user.id}"

[endpoint.ask.codec.in.ask]
act = "ask"
ask = { source = "model", request = { prompt = "{in.text|int}" }, chunk = { type = "token", text = "{chunk}" }, done = { type = "complete" } }

[endpoint.forward]
path = "/forward"
channel = "forward:{user.id}"
forward = "application"

[endpoint.forward.codec.in.tell]
act = "forward"
body = { prompt = "{in.text|int}" }
reply = "{answer}"

# One that does not answer is not called for a while, so it is another one.
[endpoint.silence]
path = "/silence"
channel = "silence:{user.id}"
forward = "silence"

[endpoint.silence.codec.in.tell]
act = "forward"
body = { prompt = 1000 }
reply = "{answer}"

[endpoint.first]
path = "/first"
channel = "first"
credentials = ["message:auth"]
credential_timeout = "2s"

[endpoint.first.codec]
welcome = { type = "welcome" }

[endpoint.first.codec.in.say]
send = { type = "said", text = "{in.text}" }

[profile.said]
invalid = [4501, "no such token"]
"#;

/// A server and what is behind it. Cheap to clone.
#[derive(Clone)]
pub(super) struct World {
    pub(super) server: Arc<Server>,
    asked: Arc<AtomicU64>,
    called: Arc<AtomicU64>,
    /// Tasks beside connections, and sockets, while nobody is there.
    idle: (u64, u64),
    _behind: Arc<JoinSet<()>>,
}

impl World {
    pub(super) async fn start() -> Self {
        let (asked, called) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let bind = async || TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let (model, listener) = (bind().await, bind().await);
        let application = listener.local_addr().expect("it listens");
        let sources = format!(
            "[source.model]\nurl = \"http://{}/\"\n\
             [source.application]\nurl = \"http://{application}/\"\nsecret = \"{SECRET}\"\ntimeout = \"20s\"\n\
             [source.silence]\nurl = \"http://{application}/\"\nsecret = \"{SECRET}\"\ntimeout = \"1s\"\n",
            model.local_addr().expect("it listens")
        );
        let mut behind = JoinSet::new();
        behind.spawn(serve(model, Arc::clone(&asked), true));
        behind.spawn(serve(listener, Arc::clone(&called), false));
        let setup = Setup::of(CONFIG).over(&sources).over("[log]\nlevel = \"warn\"\n");
        let server = setup.user("ann", PASSWORD).over("[log]\nlevel = \"info\"\n").start().await;
        let mut world = Self { server: Arc::new(server), asked, called, idle: (0, 0), _behind: Arc::new(behind) };
        world.idle = world.least().await;
        world
    }

    /// Questions that the model has not seen the end of.
    pub(super) fn model_is_asked(&self) -> u64 {
        self.asked.load(SeqCst)
    }

    /// Calls that the application has not seen the end of.
    pub(super) fn application_is_called(&self) -> u64 {
        self.called.load(SeqCst)
    }

    /// Tasks beside connections, and sockets, while nobody is there.
    pub(super) const fn idle(&self) -> (u64, u64) {
        self.idle
    }

    /// The least of several looks: the connection of the look before may not have gone yet.
    async fn least(&self) -> (u64, u64) {
        let mut least = (u64::MAX, u64::MAX);
        for _ in 0..20 {
            let tasks = self.server.metrics().await.value("lychgate_tasks", &[("kind", "background")]);
            least = (least.0.min(tasks), least.1.min(self.server.sockets() as u64));
        }
        least
    }
}

/// Answers whoever asks, in the background.
async fn serve(listener: TcpListener, open: Arc<AtomicU64>, is_model: bool) {
    let mut answers = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let open = Arc::clone(&open);
        open.fetch_add(1, SeqCst);
        answers.spawn(async move {
            let _ = answer(stream, is_model).await;
            open.fetch_sub(1, SeqCst);
        });
        while answers.try_join_next().is_some() {}
    }
}

/// Speaks in ticks, and in the end says so, unless the question is one without end: then it ends with its asker.
async fn answer(mut stream: TcpStream, is_model: bool) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"}") {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    }
    let endless = bytes.windows(4).any(|window| window == b"1000");
    if !is_model && endless {
        return stream.read_buf(&mut bytes).await.map(|_| ());
    }
    if !is_model {
        let body = r#"{"type":"answered"}"#;
        let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
        return stream.write_all(format!("{head}{body}").as_bytes()).await;
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await?;
    for n in 1.. {
        stream.write_all(format!("{{\"response\":\"tick {n} \",\"done\":false}}\n").as_bytes()).await?;
        // Slow enough that a client can end in between; nothing waits for it.
        sleep(Duration::from_millis(10)).await;
        if n == 5 && !endless {
            break;
        }
    }
    stream.write_all(b"{\"response\":\"the end\",\"done\":true}\n").await
}
