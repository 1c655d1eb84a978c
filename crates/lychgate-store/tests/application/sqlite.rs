//! The application's database as a file of SQLite's.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lychgate_service::ports::readiness::Readiness;
use lychgate_service::ports::rights::{Answer, Relation, RightsError};
use lychgate_store::application::{Limits, open};
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use tempfile::TempDir;

use crate::support::{
    CHANNEL, NOTE, PARAMETERS, SCHEMA, answers_are_as_promised, ask, granted, injections_say_nothing, opened, refused,
    text,
};

/// The application: it owns the file and writes to it.
struct Application {
    path: PathBuf,
    connection: SqliteConnection,
    _folder: TempDir,
}

impl Application {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("there is room for a temporary folder");
        let path = folder.path().join("app.db");
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let mut application =
            Self { connection: options.connect().await.expect("it opens its file"), path, _folder: folder };
        application.run(SCHEMA).await;
        application
    }

    async fn run(&mut self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&mut self.connection).await.expect("the application writes");
    }

    fn url(&self) -> String {
        url(&self.path)
    }
}

fn url(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

#[tokio::test]
async fn it_answers_as_promised() {
    let application = Application::start().await;
    answers_are_as_promised(&application.url()).await;
}

#[tokio::test]
async fn what_a_client_sends_is_data() {
    let application = Application::start().await;
    injections_say_nothing(&application.url()).await;
}

#[tokio::test]
async fn the_next_question_sees_a_change() {
    let mut application = Application::start().await;
    let rights = opened(&application.url(), CHANNEL).await;
    assert!(rights.is_ready().await);
    let five = [("channel", text("5"))];
    assert_eq!(ask(&rights, Relation::Member, "9", &five).await.expect("it answers"), Answer::Foreign);
    application.run("INSERT INTO channel_members VALUES (5, 9)").await;
    assert_eq!(ask(&rights, Relation::Member, "9", &five).await.expect("it answers"), granted(json!({"one": 1})));
    application.run("DELETE FROM channel_members").await;
    assert_eq!(ask(&rights, Relation::Member, "9", &five).await.expect("it answers"), Answer::Foreign);
    application.run("DROP TABLE channel_members").await;
    let broken = ask(&rights, Relation::Member, "9", &five).await;
    assert!(matches!(broken, Err(RightsError::Broken(_))), "{broken:?}");
}

#[tokio::test]
async fn columns_become_attributes() {
    let mut application = Application::start().await;
    application
        .run("CREATE TABLE kinds (a INTEGER, b REAL, c TEXT, d BOOLEAN, e DATETIME, f BLOB); INSERT INTO kinds VALUES (-1, 1.5, 'é', 1, '2026-01-02 03:04:05', x'00')")
        .await;
    let rights = opened(&application.url(), "SELECT 'ada', a, b, c, d, e, NULL AS n, 2 + 3 FROM kinds").await;
    let attributes = json!({"a": -1, "b": 1.5, "c": "é", "d": true, "e": "2026-01-02 03:04:05", "n": null, "2 + 3": 5});
    assert_eq!(ask(&rights, Relation::Owner, "ada", &[]).await.expect("it answers"), granted(attributes));
    let blob = opened(&application.url(), "SELECT 'ada', f FROM kinds").await;
    let said = ask(&blob, Relation::Owner, "ada", &[]).await;
    assert!(matches!(said, Err(RightsError::Broken(_))), "{said:?}");
    let large = opened(&application.url(), "SELECT 'ada', printf('%.*c', 70000, 'x') AS x").await;
    let said = ask(&large, Relation::Owner, "ada", &[]).await;
    assert!(matches!(said, Err(RightsError::Broken(_))), "an answer has a limit: {said:?}");
    let twice = refused(&application.url(), "SELECT a, b AS a FROM kinds").await;
    assert!(twice.contains("two columns named a"), "{twice}");
}

#[tokio::test]
async fn a_fault_is_told_at_the_start() {
    let application = Application::start().await;
    for (query, says) in [
        ("SELECT owner FROM nots WHERE name = :note", "no such table: nots"),
        ("SELECT owner FORM notes", "syntax error"),
        ("SELECT owner FROM notes WHERE name = :nota", "there is no :nota"),
        ("SELECT 1; SELECT 2", "more than one statement"),
        ("DELETE FROM notes", "does not begin with SELECT or WITH"),
        ("WITH x AS (SELECT 1) DELETE FROM notes RETURNING owner", "syntax error"),
        ("WITH x AS (SELECT 1) INSERT INTO notes VALUES ('x', 'x') RETURNING owner", "syntax error"),
    ] {
        let error = refused(&application.url(), query).await;
        assert!(error.contains(says), "{query}: {error}");
    }
    opened(&application.url(), NOTE).await;
    let missing = application.path.with_file_name("other.db");
    assert!(refused(&url(&missing), NOTE).await.contains("other.db"));
    assert!(!missing.exists(), "nothing is made");
    let text_file = application.path.with_file_name("notes.txt");
    std::fs::write(&text_file, "milk and eggs, and more than a hundred bytes of them ".repeat(50))
        .expect("there is room");
    assert!(refused(&url(&text_file), NOTE).await.contains("not a database"));
}

#[tokio::test]
async fn nothing_is_written_to_the_file() {
    let application = Application::start().await;
    let before = std::fs::read(&application.path).expect("it can be read");
    answers_are_as_promised(&application.url()).await;
    assert!(std::fs::read(&application.path).expect("it can be read") == before);
}

#[tokio::test]
async fn a_question_ends_in_time_and_frees_its_connection() {
    let application = Application::start().await;
    let limits = Limits { timeout: Duration::from_secs(1), connections_max: 1, ..Limits::default() };
    // Endless for one user, at once for the others.
    let query = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE :user = 'slow') \
                 SELECT max(i) FROM n";
    let rights = open(&application.url(), query, &PARAMETERS, limits).await.expect("it opens");
    for _ in 0..2 {
        let begun = Instant::now();
        let slow = ask(&rights, Relation::Member, "slow", &[]).await;
        assert!(matches!(slow, Err(RightsError::Unavailable(_))), "{slow:?}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    }
    // The one connection is free again as soon as the machine has let go of the last statement.
    let mut tries = 0;
    while ask(&rights, Relation::Member, "quick", &[]).await.is_err() {
        tries += 1;
        assert!(tries < 100, "the connection never came back");
    }
}

#[tokio::test]
async fn a_locked_file_is_no_yes() {
    let mut application = Application::start().await;
    let limits = Limits { timeout: Duration::from_secs(1), ..Limits::default() };
    let rights = open(&application.url(), CHANNEL, &PARAMETERS, limits).await.expect("it opens");
    application.run("BEGIN EXCLUSIVE").await;
    let locked = ask(&rights, Relation::Member, "7", &[("channel", text("5"))]).await;
    assert!(matches!(locked, Err(RightsError::Unavailable(_))), "{locked:?}");
    application.run("COMMIT").await;
    let mut tries = 0;
    while ask(&rights, Relation::Member, "7", &[("channel", text("5"))]).await.is_err() {
        tries += 1;
        assert!(tries < 100, "it never came back");
    }
}
