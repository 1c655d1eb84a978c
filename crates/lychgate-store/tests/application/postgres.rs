//! The application's database as a Postgres server.

use std::time::{Duration, Instant};

use lychgate_service::ports::readiness::Readiness;
use lychgate_service::ports::rights::{Answer, Relation, RightsError};
use lychgate_store::application::{Limits, open};
use lychgate_store::testing::PrivatePostgres;
use serde_json::json;
use sqlx::{Connection, PgConnection};

use crate::support::{CHANNEL, NOTE, PARAMETERS, SCHEMA, ask, granted, injections_say_nothing, opened, refused, text};

async fn run(server: &PrivatePostgres, statement: &'static str) {
    let mut connection = PgConnection::connect(&server.url()).await.expect("the application connects");
    sqlx::raw_sql(statement).execute(&mut connection).await.expect("the application writes");
    connection.close().await.expect("the application goes");
}

async fn started() -> PrivatePostgres {
    let server = PrivatePostgres::start();
    run(&server, SCHEMA).await;
    server
}

#[tokio::test]
async fn it_answers_as_promised_and_takes_data_as_data() {
    let server = started().await;
    injections_say_nothing(&server.url()).await;
    columns_become_attributes(&server).await;
    types_have_one_spelling(&server).await;
    the_next_question_sees_a_change(&server).await;
}

async fn columns_become_attributes(server: &PrivatePostgres) {
    let query = "SELECT 'ada'::varchar AS who, 1::int2 AS a, 2::int4 AS b, 3::int8 AS c, 1.5::float8 AS d, 'é'::text AS e, \
                 true AS f, '{\"x\": [1]}'::jsonb AS g, NULL AS h, 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::uuid AS i, \
                 timestamptz '2026-01-02 03:04:05.678+00' AT TIME ZONE 'UTC' AS j -- the end";
    let attributes = json!({
        "a": 1, "b": 2, "c": 3, "d": 1.5, "e": "é", "f": true, "g": {"x": [1]}, "h": null,
        "i": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "j": "2026-01-02T03:04:05.678",
    });
    let rights = opened(&server.url(), query).await;
    assert_eq!(ask(&rights, Relation::Owner, "ada", &[]).await.expect("it answers"), granted(attributes.clone()));
    let mut with_first = attributes;
    with_first["who"] = json!("ada");
    assert_eq!(ask(&rights, Relation::Member, "eve", &[]).await.expect("it answers"), granted(with_first));

    let large = opened(&server.url(), "SELECT 'ada', repeat('x', 70000)").await;
    let said = ask(&large, Relation::Owner, "ada", &[]).await;
    assert!(matches!(said, Err(RightsError::Broken(_))), "an answer has a limit: {said:?}");
    let twice = refused(&server.url(), "SELECT user_id, id AS user_id FROM entries").await;
    assert!(twice.contains("two columns named user_id"), "{twice}");
}

async fn types_have_one_spelling(server: &PrivatePostgres) {
    run(
        server,
        "CREATE TYPE \"Odd kind\" AS ENUM ('a b', 'c');
         CREATE TABLE documents (id uuid, owner uuid, price numeric, kind \"Odd kind\");
         INSERT INTO documents VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 7.5, 'a b')",
    )
    .await;
    let by_id = opened(&server.url(), "SELECT owner, kind FROM documents WHERE id = :note").await;
    let by_price = opened(&server.url(), "SELECT owner, kind FROM documents WHERE price = :note").await;
    let by_kind = opened(&server.url(), "SELECT owner, kind FROM documents WHERE kind = :note").await;
    let owner = "b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
    for (rights, value, is_there) in [
        (&by_id, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", true),
        (&by_id, "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", false),
        (&by_id, "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}", false),
        (&by_id, "17", false),
        (&by_id, "' OR 1=1 --", false),
        (&by_price, "7.5", true),
        (&by_price, "7.50", false),
        (&by_price, "x", false),
        (&by_kind, "a b", true),
        (&by_kind, "c", false),
        (&by_kind, "A B", false),
    ] {
        let said = ask(rights, Relation::Owner, owner, &[("note", text(value))]).await.expect("it answers");
        let answer = if is_there { granted(json!({"kind": "a b"})) } else { Answer::Absent };
        assert_eq!(said, answer, "{value}");
    }
    let left_out = ask(&by_id, Relation::Owner, owner, &[]).await.expect("it answers");
    assert_eq!(left_out, Answer::Absent);
    // One name, two types: each place has its own.
    let both = "SELECT 1 AS one FROM channel_members c, room_members r WHERE c.user_id = :user AND r.user_name = :user";
    let both = opened(&server.url(), both).await;
    for (user, answer) in [("7", granted(json!({"one": 1}))), ("007", Answer::Foreign), ("9", Answer::Foreign)] {
        assert_eq!(ask(&both, Relation::Member, user, &[]).await.expect("it answers"), answer, "{user}");
    }
}

async fn the_next_question_sees_a_change(server: &PrivatePostgres) {
    let rights = opened(&server.url(), CHANNEL).await;
    let five = [("channel", text("5"))];
    assert_eq!(ask(&rights, Relation::Member, "9", &five).await.expect("it answers"), Answer::Foreign);
    run(server, "INSERT INTO channel_members VALUES (5, 9)").await;
    assert_eq!(ask(&rights, Relation::Member, "9", &five).await.expect("it answers"), granted(json!({"one": 1})));
    run(server, "ALTER TABLE channel_members ADD COLUMN since date").await;
    assert_eq!(ask(&rights, Relation::Member, "9", &five).await.expect("it answers"), granted(json!({"one": 1})));
    run(server, "DROP TABLE channel_members").await;
    let broken = ask(&rights, Relation::Member, "9", &five).await;
    assert!(matches!(broken, Err(RightsError::Broken(_))), "{broken:?}");
}

#[tokio::test]
async fn faults_are_told_at_the_start_and_writes_are_refused() {
    let server = started().await;
    run(
        &server,
        "CREATE FUNCTION grab() RETURNS int LANGUAGE sql AS 'INSERT INTO notes VALUES (''x'', ''eve'') RETURNING 1';
         CREATE ROLE app LOGIN PASSWORD 'app-Password-1'; GRANT SELECT ON notes TO app",
    )
    .await;
    for (query, says) in [
        ("SELECT owner FROM nots WHERE name = :note", "relation \"nots\" does not exist"),
        ("SELECT ownr FROM notes", "column \"ownr\" does not exist"),
        ("SELECT owner FORM notes", "syntax error"),
        ("SELECT owner FROM notes WHERE name = :nota", "there is no :nota"),
        ("SELECT 1; SELECT 2", "more than one statement"),
        ("WITH x AS (DELETE FROM notes RETURNING owner) SELECT owner FROM x", "must be at the top level"),
        ("WITH x AS (SELECT 1) DELETE FROM notes RETURNING owner", "syntax error"),
        ("SELECT 1 INTO made", "it gives no columns"),
    ] {
        let error = refused(&server.url(), query).await;
        assert!(error.contains(says), "{query}: {error}");
        assert!(!error.contains("test-Password-1"), "{error}");
    }
    let writes = opened(&server.url(), "SELECT grab()").await;
    let said = ask(&writes, Relation::Member, "ada", &[]).await;
    let Err(RightsError::Broken(cause)) = &said else { panic!("{said:?}") };
    assert!(cause.to_string().contains("read-only transaction"), "{cause}");
    let said = ask(&writes, Relation::Member, "ada", &[]).await;
    assert!(matches!(said, Err(RightsError::Broken(_))), "{said:?}");

    let a = [("note", text("a"))];
    let app = opened(&server.url_of("app", "app-Password-1"), NOTE).await;
    assert_eq!(ask(&app, Relation::Owner, "ada", &a).await.expect("it answers"), granted(json!({})));
    let error = refused(&server.url_of("app", "wrong-Password-1"), NOTE).await;
    assert!(error.contains("password authentication failed for user \"app\""), "{error}");
    assert!(!error.contains("wrong-Password-1"), "{error}");
    let error = refused(&server.url_of("app", "app-Password-1"), "SELECT content FROM entries").await;
    assert!(error.contains("permission denied") && !error.contains("app-Password-1"), "{error}");

    // A right that is taken away later is no yes either.
    run(&server, "ALTER ROLE app PASSWORD 'other-Password-1'; REVOKE SELECT ON notes FROM app").await;
    let said = ask(&app, Relation::Owner, "ada", &a).await;
    assert!(matches!(said, Err(RightsError::Broken(_))), "{said:?}");
}

#[tokio::test]
async fn a_question_ends_in_time_and_frees_its_connection() {
    let server = started().await;
    // As long as the machine needs at its busiest to connect, and no longer.
    let limits = Limits { timeout: Duration::from_secs(2), connections_max: 1, ..Limits::default() };
    let query = "SELECT 1 AS one FROM (SELECT pg_sleep(CASE WHEN :user = 'slow' THEN 3600 ELSE 0 END)) AS slept";
    let rights = open(&server.url(), query, &PARAMETERS, limits).await.expect("it opens");
    let begun = Instant::now();
    let slow = ask(&rights, Relation::Member, "slow", &[]).await;
    assert!(matches!(slow, Err(RightsError::Unavailable(_))), "{slow:?}");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let mut tries = 0;
    while ask(&rights, Relation::Member, "quick", &[]).await.is_err() {
        tries += 1;
        assert!(tries < 20, "the connection never came back");
    }
}

#[tokio::test]
async fn a_server_that_is_gone_is_no_yes_and_comes_back() {
    let mut server = started().await;
    let limits = Limits { timeout: Duration::from_secs(2), ..Limits::default() };
    let rights = open(&server.url(), CHANNEL, &PARAMETERS, limits).await.expect("it opens");
    let five = [("channel", text("5"))];
    assert_eq!(ask(&rights, Relation::Member, "7", &five).await.expect("it answers"), granted(json!({"one": 1})));
    assert!(rights.is_ready().await);

    server.stop();
    for _ in 0..2 {
        let away = ask(&rights, Relation::Member, "7", &five).await;
        assert!(matches!(away, Err(RightsError::Unavailable(_))), "{away:?}");
    }
    assert!(!rights.is_ready().await);
    let error = refused(&server.url(), CHANNEL).await;
    assert!(error.contains("cannot be opened") && !error.contains("test-Password-1"), "{error}");

    server.restart();
    let mut tries = 0;
    while ask(&rights, Relation::Member, "7", &five).await.is_err() {
        tries += 1;
        assert!(tries < 20, "it never came back");
    }
    assert_eq!(ask(&rights, Relation::Member, "7", &five).await.expect("it answers"), granted(json!({"one": 1})));
    assert_eq!(ask(&rights, Relation::Member, "9", &five).await.expect("it answers"), Answer::Foreign);
}
