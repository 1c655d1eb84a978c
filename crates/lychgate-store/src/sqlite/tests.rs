//! What is promised of the connections, which only they can tell.

use std::path::PathBuf;
use std::time::Duration;

use lychgate_service::ports::StoreError;
use lychgate_service::ports::keys::{Keys, StoredKey};
use lychgate_service::ports::users::{Attributes, InsertError, NewUser, PasswordHash, UserId, Users};
use lychgate_service::testing::new_user;
use sqlx::SqlitePool;
use tempfile::TempDir;

use super::connect::Setup;
use super::location::Location;
use super::{OpenError, SqliteStore, schema};

async fn store(folder: &TempDir) -> SqliteStore {
    SqliteStore::open(&format!("sqlite:{}", folder.path().join("lychgate.db").display())).await.expect("it opens")
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("there is room for a temporary folder")
}

async fn pragma(pool: &SqlitePool, statement: &'static str) -> String {
    let mut connection = pool.acquire().await.expect("there is a connection");
    match sqlx::query_scalar::<_, i64>(statement).fetch_one(&mut *connection).await {
        Ok(number) => number.to_string(),
        Err(_) => sqlx::query_scalar(statement).fetch_one(&mut *connection).await.expect("the pragma has a value"),
    }
}

#[tokio::test]
async fn every_connection_is_set_up_as_promised() {
    let folder = folder();
    let store = store(&folder).await;
    for (statement, of_writer, of_readers) in [
        ("PRAGMA journal_mode", "wal", "wal"),
        ("PRAGMA synchronous", "2", "2"),
        ("PRAGMA foreign_keys", "1", "1"),
        ("PRAGMA busy_timeout", "5000", "5000"),
        ("PRAGMA journal_size_limit", "67108864", "67108864"),
        ("PRAGMA trusted_schema", "0", "0"),
        ("PRAGMA query_only", "0", "1"),
        ("PRAGMA secure_delete", "1", "0"),
    ] {
        assert_eq!(pragma(&store.writer, statement).await, of_writer, "writer: {statement}");
        assert_eq!(pragma(&store.readers, statement).await, of_readers, "readers: {statement}");
    }
    assert_eq!(store.writer.options().get_max_connections(), 1);
    let memory = SqliteStore::open("sqlite::memory:").await.expect("it opens");
    assert_eq!(pragma(&memory.writer, "PRAGMA foreign_keys").await, "1", "in memory as well");
}

#[tokio::test]
async fn foreign_keys_are_enforced() {
    let folder = folder();
    let store = store(&folder).await;
    let run = |statement: &'static str| sqlx::query(statement).execute(&store.writer);
    run("CREATE TABLE child (user_id INTEGER NOT NULL REFERENCES users (id)) STRICT").await.expect("a table is made");
    assert!(run("INSERT INTO child VALUES (7)").await.is_err(), "there is no user 7");
    let id = store.insert(&new_user("ada")).await.expect("ada is stored").id;
    sqlx::query("INSERT INTO child VALUES (?1)").bind(id.0).execute(&store.writer).await.expect("there is this one");
}

#[tokio::test]
async fn a_full_disk_is_told_apart_and_recovered_from() {
    let folder = folder();
    let store = store(&folder).await;
    let ada = store.insert(&new_user("ada")).await.expect("there is space");
    let pages = pragma(&store.writer, "PRAGMA page_count").await;
    let limit = |pages: String| sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}")));
    limit(pages).fetch_one(&store.writer).await.expect("the limit is set");

    let mut full = None;
    for n in 0..1_000 {
        if let Err(error) = store.insert(&new_user(&format!("{n:0>200}"))).await {
            full = Some(error);
            break;
        }
    }
    assert!(matches!(full, Some(InsertError::Store(StoreError::Full(_)))), "{full:?}");
    let update = store.set_password_hash(ada.id, None, &PasswordHash::new("x".repeat(20_000))).await;
    assert!(matches!(update, Err(StoreError::Full(_))), "{update:?}");
    assert_eq!(store.find_by_id(ada.id).await.expect("reads go on"), Some(ada));
    store.ping().await.expect("and so does the rest");

    limit("1000000".into()).fetch_one(&store.writer).await.expect("space has come back");
    store.insert(&new_user("bob")).await.expect("writes go on by themselves");
    assert_eq!(pragma(&store.writer, "PRAGMA integrity_check").await, "ok");
}

#[tokio::test]
async fn a_server_starts_on_a_full_disk_with_the_key_it_has() {
    let folder = folder();
    let store = store(&folder).await;
    let key = |kid: &str| StoredKey {
        kid: kid.into(),
        algorithm: "EdDSA".into(),
        pkcs8: vec![7; 48].into(),
        created_at_s: 1,
    };
    store.load_or_insert_signing_key(key("first")).await.expect("there is space");
    let refuse_writes = sqlx::query("PRAGMA query_only = ON").execute(&store.writer);
    refuse_writes.await.expect("from now on nothing is written");
    assert_eq!(store.load_or_insert_signing_key(key("second")).await.expect("nothing needs to be"), key("first"));
    assert!(store.insert(&new_user("ada")).await.is_err(), "nothing is, indeed");
}

#[tokio::test]
async fn a_lock_held_elsewhere_is_waited_for_and_then_told() {
    let folder = folder();
    let store = store(&folder).await;
    let path = folder.path().join("lychgate.db");
    let impatient = Setup::with_busy_wait(&path, Duration::from_millis(1));
    let other = impatient.writer().await.expect("it opens");
    let lock = store.writer.begin_with("BEGIN EXCLUSIVE").await.expect("nobody holds the lock");

    let locked = schema::migrate(&other, &path).await;
    assert!(matches!(locked, Err(OpenError::Locked { .. })), "{locked:?}");
    let second = SqliteStore { writer: other, readers: impatient.readers(), path: None };
    let refused = second.insert(&new_user("ada")).await;
    assert!(matches!(refused, Err(InsertError::Store(StoreError::Unavailable(_)))), "{refused:?}");
    assert_eq!(second.find_by_id(UserId(1)).await.expect("readers do not wait for writers"), None);

    lock.rollback().await.expect("the lock is given up");
    schema::migrate(&second.writer, &path).await.expect("now it is free");
    second.insert(&new_user("ada")).await.expect("and so are writes");
    assert!(store.find_by_name("ada").await.expect("reading works").is_some(), "the first store sees them");
}

#[tokio::test]
async fn a_dropped_write_is_whole_or_not_there() {
    let folder = folder();
    let store = store(&folder).await;
    for n in 0..200 {
        let name = format!("user {n}");
        let new = new_user(&name);
        let mut insert = Box::pin(store.insert(&new));
        for _ in 0..n % 20 {
            if futures_util::poll!(insert.as_mut()).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(insert);
    }
    // The writer is free again, and what is there is whole.
    store.insert(&new_user("last")).await.expect("no dropped write holds the writer");
    let users = store.list(None, 1_000).await.expect("reading works");
    assert!(users.iter().all(|user| user.password_hash == new_user("any").password_hash));
    assert_eq!(pragma(&store.writer, "PRAGMA integrity_check").await, "ok");
}

#[tokio::test]
async fn no_question_reads_a_whole_table() {
    let folder = folder();
    let store = store(&folder).await;
    for n in 0..50 {
        store.insert(&new_user(&format!("user {n}"))).await.expect("it is stored");
    }
    let tables = [
        "users",
        "api_keys",
        "tickets",
        "resources",
        "members",
        "messages",
        "reactions",
        "channel_positions",
        "publications",
        "event_sources",
        "events",
        "event_open",
        "sessions",
        "refresh_tokens",
        "revocations",
    ];
    let statements = super::users::INDEXED
        .iter()
        .chain(&super::api_keys::INDEXED)
        .chain(&super::tickets::INDEXED)
        .chain(&super::registry::INDEXED)
        .chain(&super::messages::INDEXED)
        .chain(&super::publications::INDEXED)
        .chain(&super::events::INDEXED)
        .chain(&super::sessions::INDEXED)
        .chain(&super::revocations::INDEXED);
    for statement in statements {
        let explained = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let plan: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(explained).fetch_all(&store.readers).await.expect("SQLite explains it");
        let steps: Vec<_> = plan.into_iter().map(|(.., step)| step).collect();
        // SEARCH goes down an index; SCAN reads it, or the table, from one end to the other.
        let of_ours = |step: &str, verb: &str| {
            step.strip_prefix(verb).is_some_and(|rest| tables.iter().any(|table| rest.starts_with(table)))
        };
        let searches = |step: &String| of_ours(step, "SEARCH ") && (step.contains("INDEX") || step.contains("KEY"));
        assert!(steps.iter().any(searches), "{statement}: {steps:?}");
        let reads_all = |step: &String| of_ours(step, "SCAN ") || (of_ours(step, "SEARCH ") && !searches(step));
        assert!(!steps.iter().any(reads_all), "{statement}: {steps:?}");
    }
}

#[tokio::test]
async fn a_row_that_another_program_spoiled_is_broken_and_not_believed() {
    let folder = folder();
    let store = store(&folder).await;
    store.insert(&new_user("ada")).await.expect("it is stored");
    let kind = sqlx::query("UPDATE users SET password_kind = 'rot13'").execute(&store.writer);
    kind.await.expect("somebody edits the file");
    let kinds = store.hash_kinds().await;
    assert!(matches!(kinds, Err(StoreError::Broken(_))), "{kinds:?}");
    let attributes = sqlx::query(r#"UPDATE users SET attributes = '{"name":"root"}'"#).execute(&store.writer);
    attributes.await.expect("somebody edits the file");
    let ada = store.find_by_name("ada").await;
    assert!(matches!(ada, Err(StoreError::Broken(_))), "{ada:?}");
    let huge = NewUser { created_at_s: u64::MAX, ..new_user("bob") };
    assert!(matches!(store.insert(&huge).await, Err(InsertError::Store(StoreError::Broken(_)))));
    assert_eq!(store.find_by_name("bob").await.expect("reading works"), None);
}

#[tokio::test]
async fn accounts_of_an_older_schema_stay_as_they_were() {
    let folder = folder();
    let store = store(&folder).await;
    let ada = store.insert(&new_user("ada")).await.expect("it is stored");
    for statement in ["ALTER TABLE users DROP COLUMN attributes", "DELETE FROM _sqlx_migrations WHERE version = 3"] {
        sqlx::query(statement).execute(&store.writer).await.expect("the way back, which only a test goes");
    }
    store.close().await;
    let newer = self::store(&folder).await;
    assert_eq!(newer.find_by_name("ada").await.expect("reading works"), Some(ada), "without attributes");
}

#[tokio::test]
async fn attributes_that_were_edited_by_hand_are_still_those() {
    let folder = folder();
    let store = store(&folder).await;
    let ada = store.insert(&new_user("ada")).await.expect("it is stored");
    let edit = sqlx::query(r#"UPDATE users SET attributes = ' { "b" : 1.0, "a":"x" } '"#).execute(&store.writer);
    edit.await.expect("somebody edits the file");
    let read = store.find_by_id(ada.id).await.expect("reading works").expect("ada is there").attributes;
    let new = Attributes::from_json("{}").expect("an empty object");
    assert!(store.set_attributes(ada.id, &read, &new).await.expect("asking works"));
    assert_eq!(store.find_by_id(ada.id).await.expect("reading works"), Some(ada));
}

#[test]
fn urls_name_databases() {
    let file = |path: &str| Location::File(PathBuf::from(path));
    for (url, location) in [
        ("sqlite::memory:", Location::Memory),
        ("sqlite://:memory:", Location::Memory),
        ("sqlite:lychgate.db", file("lychgate.db")),
        ("sqlite:data/lychgate.db", file("data/lychgate.db")),
        ("sqlite:/var/lib/lychgate.db", file("/var/lib/lychgate.db")),
        ("sqlite://data/lychgate.db", file("data/lychgate.db")),
        ("sqlite:///var/lib/lychgate.db", file("/var/lib/lychgate.db")),
        ("sqlite:with blank é.db", file("with blank é.db")),
    ] {
        assert_eq!(Location::parse(url).expect("it names one"), location, "{url}");
    }
    for url in [
        "",
        "lychgate.db",
        "/var/lib/lychgate.db",
        "sqlite:",
        "sqlite://",
        "SQLITE:x",
        "sqlite:x.db?mode=memory",
        "sqlite:file:x.db",
        "sqlite:folder/",
        "sqlite:a\0b",
        "postgres://user:hunter2@db/lychgate",
        "postgres://user:p@hunter2@db/lychgate",
    ] {
        let error = Location::parse(url).expect_err(url);
        assert!(matches!(error, OpenError::Url { .. }), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}
