//! What the server asks: the application's database, and the application itself.

use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use super::CALLS;
use crate::harness::http::read_more;
use crate::harness::wait::within;

/// The application's users, in a file of SQLite's.
pub(super) struct People {
    _folder: TempDir,
    path: PathBuf,
}

impl People {
    /// The table as the example's set-up makes it. 123 and 124 are active, 125 is not, 126 has no address.
    pub(super) async fn of_the_example() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let people = Self { path: folder.path().join("people.db"), _folder: folder };
        people
            .run(
                "create table users (id integer primary key, email text, is_active boolean not null default true);
                 insert into users (id, email) values (123, 'ann@example.com'), (124, 'bob@example.com'), (126, null);
                 insert into users values (125, 'eve@example.com', false);",
            )
            .await;
        people
    }

    /// What is laid over the example for it.
    pub(super) fn source(&self) -> String {
        format!("[source.people]\nurl = \"sqlite:{}\"\ntimeout = \"20s\"\n", self.path.display())
    }

    pub(super) async fn run(&self, statements: &'static str) {
        let mut connection = self.connect().await;
        sqlx::raw_sql(statements).execute(&mut connection).await.expect("good statements");
        connection.close().await.expect("an end");
    }

    /// Takes the file away, so that nobody who has not opened it yet can.
    pub(super) fn leave(&self) {
        fs::rename(&self.path, self.path.with_extension("away")).expect("the folder is ours");
    }

    /// Puts it back.
    pub(super) fn come_back(&self) {
        fs::rename(self.path.with_extension("away"), &self.path).expect("the folder is ours");
    }

    async fn connect(&self) -> SqliteConnection {
        SqliteConnectOptions::new()
            .filename(&self.path)
            .create_if_missing(true)
            .connect()
            .await
            .expect("a file of our own")
    }
}

/// The application, which hears one call at a time.
pub(super) struct Application {
    listener: TcpListener,
}

impl Application {
    pub(super) async fn listen() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.expect("a free port") }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/hook", self.listener.local_addr().expect("it listens"))
    }

    /// Waits for the next call, holds its signature against what was sent, answers, and gives what it said.
    pub(super) async fn answer(&self, status: u16, body: &str) -> Value {
        let (mut stream, _) = within("a call to the application", self.listener.accept()).await.expect("a connection");
        let (head, sent) = read_request(&mut stream).await;
        let header = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(':'));
            let found = lines.find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.unwrap_or_else(|| panic!("no {name} in {head}")).1.trim().to_owned()
        };
        assert!(head.starts_with("POST /hook HTTP/1.1\r\n"), "{head}");
        assert_eq!(header("content-type"), "application/json");
        let signed = format!("{}.{}.", header("webhook-id"), header("webhook-timestamp"));
        let key = EncodingKey::from_secret(CALLS.as_bytes());
        let mac = jsonwebtoken::crypto::sign(&[signed.as_bytes(), &sent].concat(), &key, Algorithm::HS256);
        let mac = URL_SAFE_NO_PAD.decode(mac.expect("a signature")).expect("base64url");
        assert_eq!(header("webhook-signature"), format!("v1,{}", STANDARD.encode(mac)));
        let length = body.len();
        let reply = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
        stream.write_all(reply.as_bytes()).await.expect("the server reads");
        serde_json::from_slice(&sent).expect("a call is JSON")
    }
}

async fn read_request(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        assert!(read_more(stream, &mut bytes).await > 0, "a whole head");
    };
    let mut body = bytes.split_off(end);
    let head = String::from_utf8(bytes).expect("a head is text");
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    while body.len() < length.expect("a length") {
        assert!(read_more(stream, &mut body).await > 0, "a whole body");
    }
    (head, body)
}
