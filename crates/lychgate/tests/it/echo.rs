//! The reflections and the chat of `examples/echo.toml`: a language model speaks to the owner of an entry.
//!
//! Users and entries lie in a Postgres of the test's own, and the model is one whose words the test says.
//! What is laid over the example is where things are, and times that are shorter than a test's patience.

mod browser;
mod chat;
mod chat_ends;
mod chat_hook;
mod checks;
mod faults;
mod hook;
mod login;
mod look_ups;
mod secrets;
mod streams;
mod variations;

use std::fs;

use lychgate_store::testing::PrivatePostgres;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::harness::token::{self, SECRET};
use crate::harness::wire::{CLOSE, TEXT};
use crate::harness::{Model, Server, Setup, Wire};

/// The example that the project ships.
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/echo.toml");

const PASSWORD: &str = "seven green bottles";

/// The path of Ann's first entry.
const ENTRY: &str = "/ws/reflections/10";

/// Ann (1) has the entries 10 and 11, and 12 is deleted. Bob (2) has 20. Cleo (3) is disabled and has 30.
const JOURNAL: &str = "
create table users (id serial primary key, email text not null, is_active boolean not null default true);
create table entries (id serial primary key, user_id integer not null references users (id), title text not null,
  content text not null, is_deleted boolean not null default false);
insert into users values (1, 'ann@example.com', true), (2, 'bob@example.com', true), (3, 'cleo@example.com', false);
insert into entries values (10, 1, 'Sea', 'I saw the sea.', false), (11, 1, 'Rain', 'It rained.', false),
  (12, 1, 'Gone', 'No more.', true), (20, 2, 'Hill', 'I climbed a hill.', false), (30, 3, 'Night', 'It was dark.', false);
create role reader login password 'reads-Only-1';
grant select on users, entries to reader;
";

/// The server, the application's database and the model behind it.
struct Echo {
    server: Server,
    model: Model,
    journal: Journal,
}

/// The application's database.
struct Journal(PrivatePostgres);

impl Journal {
    async fn start() -> Self {
        let journal = Self(PrivatePostgres::start());
        journal.run(JOURNAL).await;
        journal
    }

    /// Where the server reads, as somebody who may do no more than that.
    fn url(&self) -> String {
        self.0.url_of("reader", "reads-Only-1")
    }

    async fn run(&self, statements: &str) {
        let mut connection = PgConnection::connect(&self.0.url()).await.expect("the application connects");
        sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut connection).await.expect("the application writes");
        connection.close().await.expect("the application goes");
    }
}

fn text() -> String {
    fs::read_to_string(EXAMPLE).expect("the example is in the repository")
}

/// `text` with its secret, its database and its model.
fn behind(text: &str, journal: &Journal, model: &Model) -> Setup {
    let setup = Setup::outside(text).variable("JWT_SECRET", SECRET).variable("DATABASE_URL", &journal.url());
    // A busy machine takes its time.
    setup.over(&model.source()).over("[source.journal]\ntimeout = \"20s\"\n")
}

/// The example.
async fn echo() -> Echo {
    echo_over("").await
}

/// The example with `over` laid over it.
async fn echo_over(over: &str) -> Echo {
    echo_of(&text(), over).await
}

/// The same of another text.
async fn echo_of(text: &str, over: &str) -> Echo {
    let (journal, model) = (Journal::start().await, Model::bind().await);
    let server = behind(text, &journal, &model).over(over).start().await;
    Echo { server, model, journal }
}

impl Echo {
    /// A socket at `path` with a good token of `sub`, whatever becomes of it. It was accepted.
    async fn open(&self, path: &str, sub: &str) -> Wire {
        Wire::open(self.server.address, &at(path, sub)).await
    }

    /// What a socket at `target` is told, which has to be a close.
    async fn told(&self, target: &str) -> (u16, String) {
        let mut wire = Wire::open(self.server.address, target).await;
        wire.closed_politely().await
    }

    /// A value of the metrics.
    async fn counted(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        self.server.metrics().await.value(name, labels)
    }
}

/// Where `path`, which may have a query, takes the token of `sub`.
fn at(path: &str, sub: &str) -> String {
    with_token(path, &token::own(sub))
}

fn with_token(path: &str, token: &str) -> String {
    let and = if path.contains('?') { '&' } else { '?' };
    format!("{path}{and}token={token}")
}

/// A token as the application makes it: no more than these claims.
fn theirs(claims: &Value) -> String {
    token::sign(r#"{"alg":"HS256","typ":"JWT"}"#, &claims.to_string())
}

/// The next frame of a reflection: a piece of it.
async fn piece(wire: &mut Wire) -> String {
    let frame = wire.frame().await;
    assert_eq!(frame.opcode, TEXT, "a piece of text was expected: {}", frame.show());
    String::from_utf8(frame.payload).expect("a text frame holds text")
}

/// The rest of a reflection in one text, and its end.
async fn rest(wire: &mut Wire) -> (String, (u16, String)) {
    let mut text = String::new();
    loop {
        let frame = wire.frame().await;
        match frame.opcode {
            TEXT => text.push_str(std::str::from_utf8(&frame.payload).expect("a text frame holds text")),
            CLOSE => return (text, frame.close()),
            _ => panic!("neither text nor an end: {}", frame.show()),
        }
    }
}

fn told(code: u16, reason: &str) -> (u16, String) {
    (code, reason.to_owned())
}

/// How a whole reflection ends.
fn whole() -> (u16, String) {
    told(1000, "")
}
