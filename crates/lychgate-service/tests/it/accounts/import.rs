//! Importing accounts: what is stored, what is refused, and what a report says and must not say.

use std::io::{self, BufReader, Read};
use std::sync::Arc;

use lychgate_service::accounts::{
    Accounts, FAULTS_LISTED_MAX, Hashing, HashingLimits, ImportFormat, ImportOptions, ImportReport, ImportRows,
    ImportStopped, LINE_BYTES_MAX, LoginField, LoginRequest, PasswordRule, RowError, StopCause, UnreadableFile,
    WeakPassword,
};
use lychgate_service::ports::StoreError;
use lychgate_service::ports::clock::SystemClock;
use lychgate_service::ports::users::{HashKind, NameFault, Users};
use lychgate_service::testing::{Fault, MemoryUsers, QuickHashes, new_user};

const CSV: ImportFormat = ImportFormat::Csv;
const JSON: ImportFormat = ImportFormat::JsonLines;
const STORE: ImportOptions = ImportOptions { dry_run: false, rule: PasswordRule::Standard };
const DRY: ImportOptions = ImportOptions { dry_run: true, rule: PasswordRule::Standard };

struct World {
    users: Arc<MemoryUsers>,
    hashes: Arc<QuickHashes>,
    accounts: Accounts,
}

impl World {
    fn new() -> Self {
        let (users, hashes) = (Arc::new(MemoryUsers::default()), Arc::new(QuickHashes::default()));
        let hashing = Hashing::with_functions(HashingLimits::default(), Arc::clone(&hashes) as _);
        let accounts = Accounts::new(Arc::clone(&users) as _, hashing, Arc::new(SystemClock));
        Self { users, hashes, accounts }
    }

    async fn import(&self, format: ImportFormat, options: ImportOptions, file: &str) -> ImportReport {
        // A tiny buffer cuts lines everywhere.
        let rows = ImportRows::new(BufReader::with_capacity(7, file.as_bytes()), format).expect("the header is one");
        self.accounts.import(rows, options).await.expect("neither the file nor the store fails")
    }

    async fn names(&self) -> Vec<String> {
        let users = self.users.list(None, 10_000).await.expect("memory answers");
        users.into_iter().map(|user| user.name).collect()
    }
}

fn bcrypt(cost: u32) -> String {
    format!("$2b${cost:02}${}", "A".repeat(53))
}

fn argon2(memory_kib: u32, passes: u32) -> String {
    format!("$argon2id$v=19$m={memory_kib},t={passes},p=1${}${}", "A".repeat(22), "A".repeat(43))
}

fn faults(report: &ImportReport) -> Vec<(u64, RowError)> {
    report.faults.iter().map(|fault| (fault.line, fault.error.clone())).collect()
}

#[tokio::test]
async fn both_formats_bring_the_same_accounts() {
    let (bcrypt, argon2) = (bcrypt(12), argon2(19_456, 2));
    let csv = format!(
        "\u{FEFF}Name, email ,password_hash,password,active\r\n\
         ada,Ada@example.org,{bcrypt},,true\r\n\
         \r\n\
         \"o\"\"brien, jr\",,\"{argon2}\",,\r\n\
         eve,eve@example.org,,a quiet heron,no"
    );
    let json = format!(
        "\u{FEFF}{{\"name\":\"ada\",\"email\":\"Ada@example.org\",\"password_hash\":\"{bcrypt}\",\"active\":true}}\n\n\
         {{\"name\":\"o\\\"brien, jr\",\"password_hash\":\"{argon2}\",\"email\":null}}\n\
         {{\"active\":false,\"password\":\"a quiet heron\",\"name\":\"eve\",\"email\":\"eve@example.org\"}}\n"
    );
    for (format, file) in [(CSV, csv), (JSON, json)] {
        let world = World::new();
        let dry = world.import(format, DRY, &file).await;
        assert_eq!((dry.created, dry.refused), (3, 0), "{:?}", dry.faults);
        assert_eq!(world.names().await, [""; 0], "a dry run stores nothing");
        assert_eq!(world.hashes.take_log(), [], "and hashes nothing");

        let report = world.import(format, STORE, &file).await;
        assert_eq!(report, dry, "it said what would happen");
        let users = world.users.list(None, 10).await.unwrap();
        let seen: Vec<_> = users
            .iter()
            .map(|user| (user.name.as_str(), user.email.as_deref(), user.password_hash.kind(), user.active))
            .collect();
        assert_eq!(
            seen,
            [
                ("ada", Some("Ada@example.org"), HashKind::Bcrypt { cost: 12 }, true),
                ("o\"brien, jr", None, HashKind::POLICY, true),
                ("eve", Some("eve@example.org"), HashKind::POLICY, false),
            ]
        );
        assert_eq!(users[0].password_hash.expose(), bcrypt);
        world.users.set_active(users[2].id, true).await.unwrap();
        let eve = LoginRequest { login: "eve", password: "a quiet heron".into(), fields: &[LoginField::Name] };
        world.accounts.login(eve).await.expect("the password was hashed");

        let again = world.import(format, STORE, &file).await;
        assert_eq!((again.created, again.refused), (0, 3));
        assert!(again.faults.iter().all(|fault| fault.error == RowError::NameTaken), "{again:?}");
        assert_eq!(world.import(format, DRY, &file).await, again);
    }
}

#[tokio::test]
async fn a_bad_row_costs_itself_alone() {
    let hash = bcrypt(12);
    let long_name = "n".repeat(256);
    let bad = [
        (format!(",,{hash},,"), RowError::Name(NameFault::Blank)),
        (format!(" bob,,{hash},,"), RowError::Name(NameFault::BlankEdge)),
        (format!("{long_name},,{hash},,"), RowError::Name(NameFault::Long { bytes: 256, bytes_max: 255 })),
        (format!("b\tob,,{hash},,"), RowError::Name(NameFault::Unprintable(9))),
        (format!("bob,bob,{hash},,"), RowError::Email(NameFault::NotAnAddress)),
        ("bob,,,,".into(), RowError::NoSecret),
        (format!("bob,,{hash},a quiet heron,"), RowError::TwoSecrets),
        ("bob,,,password1,".into(), RowError::Password(WeakPassword::Common)),
        ("bob,,,short,".into(), RowError::Password(WeakPassword::Short { chars: 5 })),
        ("bob,,plain-password-here,,".into(), RowError::Hash),
        (format!("bob,,{},,", bcrypt(15)), RowError::Hash),
        (format!("bob,,\"{}\",,", argon2(262_145, 1)), RowError::Hash),
        (format!("bob,,{hash},,maybe"), RowError::Active),
        (format!("bob,,{hash},"), RowError::ColumnCount { found: 4, expected: 5 }),
        (format!("bob,,{},,", argon2(19_456, 2)), RowError::ColumnCount { found: 7, expected: 5 }),
        (format!("bob,,{hash},,\""), RowError::OpenQuote),
        (format!("\"bob,,{hash},,"), RowError::OpenQuote),
        ("x".repeat(LINE_BYTES_MAX + 1), RowError::LineLong),
        (format!("ada,,{hash},,"), RowError::NameTaken),
        (format!("Bob,ADA@example.org,{hash},,"), RowError::EmailTaken),
        (format!("Ada@Example.org,,{hash},,"), RowError::NameTaken),
        (format!("bob,EVE,{hash},,"), RowError::Email(NameFault::NotAnAddress)),
    ];
    let good = format!("ada,ada@example.org,{hash},,\n");
    for (row, error) in bad {
        let file = format!("name,email,password_hash,password,active\n{good}{row}\nzoe,,{hash},,\n");
        for options in [DRY, STORE] {
            let world = World::new();
            let report = world.import(CSV, options, &file).await;
            assert_eq!(faults(&report), [(3, error.clone())], "{row}");
            assert_eq!((report.created, report.refused), (2, 1));
            let expected: &[&str] = if options.dry_run { &[] } else { &["ada", "zoe"] };
            assert_eq!(world.names().await, expected);
        }
    }
}

#[tokio::test]
async fn a_bad_object_costs_itself_alone() {
    let hash = bcrypt(12);
    let good = |name: &str| format!("{{\"name\":\"{name}\",\"password_hash\":\"{hash}\"}}");
    for (row, is_json) in [
        ("{\"name\":\"bob\",\"password\":123456}".to_owned(), true),
        ("{\"name\":\"bob\",\"password\":\"a quiet heron\",\"admin\":true}".to_owned(), true),
        ("{\"name\":\"bob\",\"name\":\"eve\",\"password\":\"a quiet heron\"}".to_owned(), true),
        ("{\"password\":\"a quiet heron\"}".to_owned(), true),
        ("{\"name\":\"bob\",\"password\":\"a quiet heron\",\"active\":\"a quiet heron\"}".to_owned(), true),
        ("\"a quiet heron\"".to_owned(), true),
        ("null".to_owned(), true),
        ("a quiet heron".to_owned(), false),
        ("{\"name\":\"bob\",\"password\":\"a quiet heron\"".to_owned(), false),
        (format!("{} {}", good("bob"), good("eve")), false),
        (format!("{}\"", "[".repeat(1_000)), true),
    ] {
        let world = World::new();
        let file = format!("{}\n{row}\n{}\n", good("ada"), good("zoe"));
        let report = world.import(JSON, STORE, &file).await;
        assert_eq!((report.created, report.refused), (2, 1), "{row}: {:?}", report.faults);
        let fault = &report.faults[0];
        assert_eq!(fault.line, 2);
        let is_expected = match fault.error {
            RowError::OtherJson { .. } => is_json,
            RowError::NotJson { .. } => !is_json,
            _ => false,
        };
        assert!(is_expected, "{row}: {fault:?}");
        let printed = format!("{fault} {fault:?}");
        assert!(!printed.contains("heron") && !printed.contains("123456"), "no value is repeated: {printed}");
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_cost_their_line() {
    let world = World::new();
    let hash = bcrypt(12);
    let mut file = format!("name,password_hash\nada,{hash}\n").into_bytes();
    file.extend(b"b\xFFb,");
    file.extend(format!("{hash}\nzoe,{hash}\n").bytes());
    let rows = ImportRows::new(&*file, CSV).expect("the header is one");
    let report = world.accounts.import(rows, STORE).await.expect("the file can be read");
    assert_eq!(faults(&report), [(3, RowError::NotUtf8)]);
    assert_eq!(world.names().await, ["ada", "zoe"]);
}

#[test]
fn a_file_without_its_header_is_refused_whole() {
    for (header, says) in [
        ("", "empty"),
        ("\n\n", "empty"),
        ("ada,ada@example.org,$2b$12$abc", "there is no column \"ada\""),
        ("name,password,name", "name occurs twice"),
        ("email,password", "column name is missing"),
        ("name,email", "password_hash or password is missing"),
        ("name;password", "there is no column"),
        ("name,\"password", "not closed"),
        ("name,password,\u{1B}[31m", "there is no column \"\\u{1b}[31m\""),
    ] {
        match ImportRows::new(header.as_bytes(), CSV).err() {
            Some(UnreadableFile::Header { what, .. }) => assert!(what.contains(says), "{header:?}: {what}"),
            other => panic!("{header:?}: {other:?}"),
        }
    }
    let mut blank_first = ImportRows::new(&b"\n\nname,password\nada,x\n"[..], CSV).expect("blank lines do not count");
    let row = blank_first.next_row().expect("it can be read").expect("there is a row").expect("it is one");
    assert_eq!((row.line, row.name.as_str()), (4, "ada"), "but they have numbers");
    assert!(blank_first.next_row().expect("it can be read").is_none());
    assert!(blank_first.next_row().expect("the end stays the end").is_none());
}

#[tokio::test]
async fn a_line_may_have_its_most_bytes() {
    let row = |bytes: usize| {
        let empty = "{\"name\":\"ada\",\"password_hash\":\"\"}";
        empty.replace("\"\"", &format!("\"{}\"", "x".repeat(bytes - empty.len())))
    };
    for (bytes, error) in [(LINE_BYTES_MAX, RowError::Hash), (LINE_BYTES_MAX + 1, RowError::LineLong)] {
        let report = World::new().import(JSON, STORE, &row(bytes)).await;
        assert_eq!(faults(&report), [(1, error)]);
    }
}

#[tokio::test]
async fn imported_kinds_cannot_make_failed_logins_slow() {
    let costly: Vec<_> = (0..4).map(|n| argon2(262_144 - n, 10)).collect();
    let mut file = "name,password_hash\n".to_owned();
    for (n, hash) in costly.iter().chain(&costly).enumerate() {
        file += &format!("user {n},\"{hash}\"\n");
    }
    for options in [DRY, STORE] {
        let world = World::new();
        let report = world.import(CSV, options, &file).await;
        let refused: Vec<_> = faults(&report);
        assert!(refused.iter().all(|(_, error)| *error == RowError::HashingWork), "{refused:?}");
        let lines: Vec<_> = refused.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [3, 4, 5, 7, 8, 9], "the first kind is admitted, each time");
        if !options.dry_run {
            let more = world.import(CSV, STORE, &format!("name,password_hash\nlate,\"{}\"\n", costly[1])).await;
            assert_eq!(faults(&more), [(2, RowError::HashingWork)], "what is stored counts");
        }
    }
}

#[tokio::test]
async fn the_rule_is_the_callers() {
    let file = "name,password\nuser,password\n";
    let world = World::new();
    assert_eq!(world.import(CSV, STORE, file).await.created, 0);
    assert_eq!(world.import(CSV, ImportOptions { rule: PasswordRule::Relaxed, ..STORE }, file).await.created, 1);
}

#[tokio::test]
async fn a_report_is_bounded() {
    let file = "name,password\n".to_owned() + &"bob,short\n".repeat(FAULTS_LISTED_MAX + 5);
    let report = World::new().import(CSV, STORE, &file).await;
    assert_eq!(report.refused, FAULTS_LISTED_MAX as u64 + 5);
    assert_eq!(report.faults.len(), FAULTS_LISTED_MAX);
    assert_eq!(report.faults[0].line, 2);
}

/// A file that fails after some bytes.
struct Broken(&'static [u8]);

impl Read for Broken {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::other("the disk is gone")),
            read => Ok(read),
        }
    }
}

#[tokio::test]
async fn an_import_that_stops_says_where() {
    let world = World::new();
    let file = Broken(b"name,password\nada,a quiet heron\nbob,a quiet her");
    let rows = ImportRows::new(BufReader::with_capacity(8, file), CSV).expect("the header is one");
    let stopped: ImportStopped = world.accounts.import(rows, STORE).await.expect_err("the file fails");
    assert!(matches!(stopped.cause, StopCause::File(UnreadableFile::Io { line: 3, .. })), "{stopped:?}");
    assert_eq!((stopped.line, stopped.report.created), (3, 1));
    assert_eq!(world.names().await, ["ada"]);

    let world = World::new();
    world.users.insert(&new_user("first")).await.unwrap();
    world.users.set_fault(Some(Fault::Full));
    let rows =
        ImportRows::new(&b"name,password\nfirst,short\nada,a quiet heron\n"[..], CSV).expect("the header is one");
    let stopped = world.accounts.import(rows, STORE).await.expect_err("the disk is full");
    assert!(matches!(stopped.cause, StopCause::Store(StoreError::Full(_))), "{stopped:?}");
    assert_eq!((stopped.line, stopped.report.refused), (3, 1));

    let world = World::new();
    world.accounts.hashing().stop().await;
    let rows = ImportRows::new(&b"name,password\nada,a quiet heron\n"[..], CSV).expect("the header is one");
    let stopped = world.accounts.import(rows, STORE).await.expect_err("nothing is hashed any more");
    assert!(matches!(stopped.cause, StopCause::Busy(_)), "{stopped:?}");
}
