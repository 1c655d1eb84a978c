//! A database as a file: who may read it, what survives, and what is refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lychgate_service::ports::keys::{Keys, StoredKey};
use lychgate_service::ports::users::Users;
use lychgate_service::testing::new_user;
use lychgate_store::{OpenError, SqliteStore, open};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().expect("there is room for a temporary folder")
}

fn url(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

async fn opened(path: &Path) -> SqliteStore {
    open(&url(path)).await.expect("it opens")
}

fn key(kid: &str) -> StoredKey {
    StoredKey { kid: kid.into(), algorithm: "EdDSA".into(), pkcs8: vec![7; 48].into(), created_at_s: 1 }
}

/// Runs a statement as another program would.
async fn edit(path: &Path, statement: &'static str) {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = options.connect().await.expect("another program opens the file");
    sqlx::raw_sql(statement).execute(&mut connection).await.expect("another program writes it");
    connection.close().await.expect("another program closes it");
}

#[tokio::test]
async fn what_was_stored_is_there_after_reopening() {
    let folder = folder();
    let path = folder.path().join("deep/er/lychgate.db");
    let store = opened(&path).await;
    assert_eq!(store.path(), Some(path.as_path()));
    let ada = store.insert(&new_user("ada")).await.expect("it is stored");
    store.load_or_insert_signing_key(key("first")).await.expect("it is stored");
    store.close().await;
    assert!(!path.with_extension("db-wal").exists(), "the log was folded in");

    let store = opened(&path).await;
    assert_eq!(store.find_by_name("ada").await.expect("reading works"), Some(ada.clone()));
    assert_eq!(store.load_or_insert_signing_key(key("second")).await.expect("reading works"), key("first"));
    assert!(store.insert(&new_user("bob")).await.expect("it is stored").id > ada.id);

    let second = opened(&path).await;
    assert!(second.find_by_name("bob").await.expect("reading works").is_some(), "opened twice, it is one database");
}

#[tokio::test]
async fn an_id_is_never_given_out_twice() {
    let folder = folder();
    let path = folder.path().join("lychgate.db");
    let store = opened(&path).await;
    let ada = store.insert(&new_user("ada")).await.expect("it is stored");
    store.close().await;
    edit(&path, "DELETE FROM users").await;
    let bob = opened(&path).await.insert(&new_user("bob")).await.expect("it is stored");
    assert!(bob.id > ada.id, "a token of ada must not become bob's");
}

#[cfg(unix)]
mod modes {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("the file is there").permissions().mode() & 0o7777
    }

    fn siblings(path: &Path) -> [PathBuf; 3] {
        [path.to_owned(), path.with_extension("db-wal"), path.with_extension("db-shm")]
    }

    #[tokio::test]
    async fn nobody_else_can_read_a_new_database() {
        let folder = folder();
        let path = folder.path().join("data/lychgate.db");
        let store = opened(&path).await;
        store.insert(&new_user("ada")).await.expect("it is stored");
        for file in siblings(&path) {
            assert_eq!(mode(&file), 0o600, "{file:?}");
        }
        assert_eq!(mode(&folder.path().join("data")), 0o700);
    }

    #[tokio::test]
    async fn an_open_one_is_closed_to_others() {
        let folder = folder();
        let path = folder.path().join("lychgate.db");
        let first = opened(&path).await;
        first.insert(&new_user("ada")).await.expect("it is stored");
        for file in siblings(&path) {
            fs::set_permissions(&file, fs::Permissions::from_mode(0o664)).expect("it is ours");
        }
        let second = opened(&path).await;
        for file in siblings(&path) {
            assert_eq!(mode(&file), 0o600, "{file:?}");
        }
        assert!(second.find_by_name("ada").await.expect("reading works").is_some());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).expect("it is ours");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
        let _ = open(&url(&path)).await;
        assert_eq!(mode(&path), 0o400, "a mode that is closed to others is left as it is");
    }
}

/// Set for a process that a test starts out of its own program.
const CHILD_DATABASE: &str = "LYCHGATE_STORE_TEST_DATABASE";

fn child(test: &str, path: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a test has a program"));
    command.args(["--exact", test, "--nocapture"]).env(CHILD_DATABASE, path);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Not a test: what the processes of the next one do.
#[tokio::test]
async fn child_elects_a_key() {
    let Some(path) = std::env::var_os(CHILD_DATABASE) else { return };
    let store = open(&url(Path::new(&path))).await.expect("it opens");
    let candidate = key(&format!("of process {}", std::process::id()));
    let elected = store.load_or_insert_signing_key(candidate).await.expect("there is one");
    println!("elected<{}>", elected.kid);
}

#[tokio::test]
async fn processes_that_start_at_once_sign_with_one_key() {
    let folder = folder();
    let path = folder.path().join("lychgate.db");
    let children: Vec<_> =
        (0..6).map(|_| child("child_elects_a_key", &path).spawn().expect("a process starts")).collect();
    let mut elected = Vec::new();
    for child in children {
        let output = child.wait_with_output().expect("it ends");
        let (said, cried) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{said}\n{cried}");
        let kid = said.split_once("elected<").and_then(|(_, rest)| rest.split_once('>')).map(|(kid, _)| kid.to_owned());
        elected.push(kid.unwrap_or_else(|| panic!("it says which one: {said}")));
    }
    elected.dedup();
    let stored = opened(&path).await.signing_key().await.expect("reading works").expect("there is one");
    assert_eq!(elected, [stored.kid]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_that_open_at_once_sign_with_one_key() {
    let folder = folder();
    let path = folder.path().join("lychgate.db");
    let elected = futures_util::future::join_all((0..8).map(|n| {
        let path = path.clone();
        async move {
            let store = opened(&path).await;
            store.load_or_insert_signing_key(key(&format!("of store {n}"))).await.expect("there is one").kid
        }
    }));
    let mut elected = elected.await;
    elected.dedup();
    assert_eq!(elected.len(), 1, "{elected:?}");
}

/// Not a test: what the process of the next one does.
#[tokio::test]
async fn child_dies_after_storing() {
    let Some(path) = std::env::var_os(CHILD_DATABASE) else { return };
    let store = open(&url(Path::new(&path))).await.expect("it opens");
    for n in 0..20 {
        store.insert(&new_user(&format!("user {n}"))).await.expect("it is stored");
    }
    // No destructor runs, no connection is closed.
    std::process::abort();
}

#[tokio::test]
async fn what_was_stored_outlives_the_process() {
    let folder = folder();
    let path = folder.path().join("lychgate.db");
    let output = child("child_dies_after_storing", &path).output().expect("a process starts");
    assert!(!output.status.success(), "it was to die");
    assert!(path.with_extension("db-wal").exists(), "and it closed nothing");
    let store = opened(&path).await;
    assert_eq!(store.list(None, 100).await.expect("reading works").len(), 20);
    store.insert(&new_user("next")).await.expect("and it goes on");
}

#[tokio::test]
async fn what_was_stored_outlives_a_store_that_is_not_closed() {
    let folder = folder();
    let path = folder.path().join("lychgate.db");
    let store = opened(&path).await;
    store.insert(&new_user("ada")).await.expect("it is stored");
    std::mem::forget(store);
    assert!(opened(&path).await.find_by_name("ada").await.expect("reading works").is_some());
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let folder = folder();
    let path = folder.path().join("lychgate.db");
    opened(&path).await.close().await;
    edit(
        &path,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'from the future', TRUE, x'00', 0)",
    )
    .await;
    let before = fs::read(&path).expect("it can be read");
    match open(&url(&path)).await.map(|_| ()) {
        Err(error @ OpenError::Newer { found: 9999, known, .. }) => {
            assert!(known >= 1);
            let says = error.to_string();
            assert!(
                says.contains("9999") && says.contains("lychgate.db") && says.contains("Run that version"),
                "{says}"
            );
        }
        other => panic!("{other:?}"),
    }
    assert!(fs::read(&path).expect("it can be read") == before, "not a byte has changed");
    edit(&path, "DELETE FROM _sqlx_migrations WHERE version = 9999").await;
    opened(&path).await;
}

#[tokio::test]
async fn a_changed_migration_is_refused() {
    let folder = folder();
    let path = folder.path().join("lychgate.db");
    opened(&path).await.close().await;
    edit(&path, "UPDATE _sqlx_migrations SET checksum = x'00'").await;
    let refused = open(&url(&path)).await.map(|_| ());
    assert!(matches!(refused, Err(OpenError::Setup { .. })), "{refused:?}");
}

#[tokio::test]
async fn what_is_no_database_of_ours_is_refused_and_left_alone() {
    let folder = folder();
    let text = folder.path().join("notes.txt");
    fs::write(&text, "milk, eggs, and a heron\n".repeat(100)).expect("there is room");
    let cut = folder.path().join("cut.db");
    opened(&cut).await.close().await;
    let whole = fs::read(&cut).expect("it can be read");
    fs::write(&cut, [&whole[..100], &[0xA5; 5_000][..]].concat()).expect("there is room");
    let other = folder.path().join("other.db");
    edit(&other, "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO users VALUES (1, 'x')").await;
    let marked = folder.path().join("marked.db");
    edit(&marked, "PRAGMA application_id = 7").await;

    type Check = fn(&OpenError) -> bool;
    let not_one: Check = |error| matches!(error, OpenError::NotADatabase { .. });
    let foreign: Check = |error| matches!(error, OpenError::Foreign { .. });
    for (path, is_expected) in [(&text, not_one), (&cut, not_one), (&other, foreign), (&marked, foreign)] {
        let before = fs::read(path).expect("it can be read");
        let error = open(&url(path)).await.map(|_| ()).expect_err("it is not ours");
        assert!(is_expected(&error), "{error:?}");
        let says = error.to_string();
        assert!(says.contains(path.file_name().and_then(|name| name.to_str()).expect("it has a name")), "{says}");
        assert!(fs::read(path).expect("it can be read") == before, "{path:?} has changed");
    }
    let error = open(&url(folder.path())).await.map(|_| ()).expect_err("a folder is no file");
    assert!(not_one(&error), "{error:?}");

    let empty = folder.path().join("empty.db");
    fs::write(&empty, "").expect("there is room");
    opened(&empty).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_place_that_cannot_be_written_is_named() {
    // Not even root can make files there.
    let in_proc = Path::new("/proc/lychgate.db");
    match open(&url(in_proc)).await.map(|_| ()) {
        Err(error @ OpenError::Access { .. }) => assert!(error.to_string().contains("/proc/lychgate.db"), "{error}"),
        other => panic!("{other:?}"),
    }
    let below_proc = Path::new("/proc/lychgate/lychgate.db");
    match open(&url(below_proc)).await.map(|_| ()) {
        Err(error @ OpenError::Folder { .. }) => assert!(error.to_string().contains("/proc/lychgate"), "{error}"),
        other => panic!("{other:?}"),
    }
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "").expect("there is room");
    let below_file = file.join("lychgate.db");
    assert!(matches!(open(&url(&below_file)).await, Err(OpenError::Folder { .. })), "a file is no folder");
}

#[cfg(unix)]
#[tokio::test]
async fn a_read_only_folder_is_named() {
    use std::os::unix::fs::PermissionsExt;

    let folder = folder();
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).expect("there is room");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).expect("it is ours");
    if fs::write(closed.join("probe"), "").is_ok() {
        // Modes do not bind root; the test above has a place that does.
        return;
    }
    let refused = open(&url(&closed.join("lychgate.db"))).await.map(|_| ());
    assert!(matches!(refused, Err(OpenError::Access { .. })), "{refused:?}");
}
