//! A Redis of a test's own, and a client that is nobody's library.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::harness::http::read_more;
use crate::harness::wait::{until, within};

/// A `redis-server` on a free port of this machine, which keeps nothing. It ends with the test.
pub(super) struct Redis {
    child: Option<Child>,
    port: u16,
    folder: TempDir,
}

/// What it says, as far as tests ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Nothing,
    Text(String),
    Number(i64),
    List(Vec<Said>),
}

/// One connection to it.
pub(super) struct Look {
    tcp: TcpStream,
    read: Vec<u8>,
}

impl Redis {
    pub(super) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let mut redis = Self { child: None, port: 0, folder };
        // Another program may take a free port before Redis does.
        for _ in 0..10 {
            let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
            redis.port = free.expect("a free port").port();
            if redis.try_start() {
                return redis;
            }
        }
        panic!("redis-server does not start");
    }

    /// What is laid over the example for it.
    pub(super) fn section(&self) -> String {
        format!("[redis]\nurl = \"redis://127.0.0.1:{}/0\"\n", self.port)
    }

    /// Ends it without a warning.
    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it runs");
            child.wait().expect("it has ended");
        }
    }

    /// Starts it again where it was.
    pub(super) fn restart(&mut self) {
        assert!(self.try_start(), "redis-server starts again");
    }

    pub(super) async fn look(&self) -> Look {
        let tcp = TcpStream::connect(("127.0.0.1", self.port)).await.expect("Redis listens");
        Look { tcp, read: Vec::new() }
    }

    fn try_start(&mut self) -> bool {
        let mut command = Command::new("redis-server");
        let port = self.port.to_string();
        command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"]);
        command.arg(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("redis-server is installed (Debian's package redis-server)");
        let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        while output.read_line(&mut line).expect("it speaks") > 0 {
            if line.contains("Ready to accept connections") {
                // Whatever else it says must not fill the pipe.
                std::thread::spawn(move || output.read_to_end(&mut Vec::new()));
                self.child = Some(child);
                return true;
            }
            line.clear();
        }
        child.wait().expect("it has ended");
        false
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Look {
    /// Says one line and gives the answer.
    pub(super) async fn ask(&mut self, line: &str) -> Said {
        within("Redis to read", self.tcp.write_all(format!("{line}\r\n").as_bytes())).await.expect("it reads");
        self.next().await
    }

    /// The next thing it says, asked or not.
    pub(super) async fn next(&mut self) -> Said {
        loop {
            if let Some((said, bytes)) = parse(&self.read) {
                self.read.drain(..bytes);
                return said;
            }
            assert!(read_more(&mut self.tcp, &mut self.read).await > 0, "Redis hung up");
        }
    }

    pub(super) async fn status(&mut self, user: &str) -> Option<String> {
        match self.ask(&format!("HGET user:{user} status")).await {
            Said::Text(status) => Some(status),
            _ => None,
        }
    }

    /// Waits until that is what it holds.
    pub(super) async fn until_status(&mut self, user: &str, status: &str) {
        until(&format!("user:{user} to be {status}"), async || match self.status(user).await {
            Some(now) if now == status => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    }

    /// How long a key stays, in seconds; below 0 for one that is not there, or stays for ever.
    pub(super) async fn ttl(&mut self, key: &str) -> i64 {
        match self.ask(&format!("TTL {key}")).await {
            Said::Number(seconds) => seconds,
            other => panic!("no number: {other:?}"),
        }
    }
}

/// The first thing in `bytes` with its length, if it is whole.
fn parse(bytes: &[u8]) -> Option<(Said, usize)> {
    let end = bytes.windows(2).position(|two| two == b"\r\n")?;
    let line = std::str::from_utf8(&bytes[1..end]).expect("text");
    let number = || line.parse::<i64>().expect("a number");
    let mut at = end + 2;
    let said = match bytes[0] {
        b'+' => Said::Text(line.to_owned()),
        b':' => Said::Number(number()),
        b'$' | b'*' if number() < 0 => Said::Nothing,
        b'$' => {
            let length = number() as usize;
            let text = bytes.get(at..at + length + 2)?;
            at += length + 2;
            Said::Text(String::from_utf8(text[..length].to_vec()).expect("text"))
        }
        b'*' => {
            let mut items = Vec::new();
            for _ in 0..number() {
                let (item, length) = parse(&bytes[at..])?;
                items.push(item);
                at += length;
            }
            Said::List(items)
        }
        _ => panic!("Redis says no: {line}"),
    };
    Some((said, at))
}
