//! Questions, and what both databases are asked.

use std::time::Duration;

use lychgate_service::ports::rights::{Answer, Parameter, Question, Relation, Rights, RightsError};
use lychgate_store::application::{ApplicationRights, Limits, open};
use serde_json::{Map, Value, json};

/// The application's tables, in words that both databases know. The owner of an entry is a number, of a note a name.
pub(crate) const SCHEMA: &str = "\
    CREATE TABLE entries (id INTEGER PRIMARY KEY, user_id INTEGER, content TEXT NOT NULL, is_deleted BOOLEAN NOT NULL);
    CREATE TABLE notes (name TEXT PRIMARY KEY, owner TEXT);
    CREATE TABLE channel_members (channel_id INTEGER NOT NULL, user_id INTEGER NOT NULL);
    CREATE TABLE room_members (room TEXT NOT NULL, user_name TEXT NOT NULL);
    INSERT INTO entries VALUES (17, 7, 'It''s ''quoted'' :user', FALSE), (18, 7, 'gone', TRUE), (19, NULL, 'x', FALSE);
    INSERT INTO notes VALUES ('a', 'ada'), ('7', '7'), ('n', NULL);
    INSERT INTO channel_members VALUES (5, 7), (5, 8);
    INSERT INTO room_members VALUES ('lobby', 'ada'), ('lobby', '007'), ('05', '7'), ('1e3', '8');";

pub(crate) const ENTRY: &str =
    "SELECT user_id, content, is_deleted, id AS number FROM entries WHERE id = :entry AND NOT is_deleted";
pub(crate) const NOTE: &str = "SELECT owner FROM notes WHERE name = :note";
pub(crate) const CHANNEL: &str =
    "SELECT 1 AS one FROM channel_members WHERE channel_id = :channel AND user_id = :user;";
pub(crate) const ROOM: &str = "SELECT room FROM room_members WHERE room = :query_room AND user_name = :user";

pub(crate) const PARAMETERS: [&str; 4] = ["entry", "note", "channel", "query.room"];

pub(crate) async fn opened(url: &str, query: &str) -> ApplicationRights {
    // Much time: the machine may be busy, and what a test is about is never that.
    let limits = Limits { timeout: Duration::from_secs(30), ..Limits::default() };
    open(url, query, &PARAMETERS, limits).await.unwrap_or_else(|error| panic!("{query}: {error}"))
}

/// What opening says, which must not succeed.
pub(crate) async fn refused(url: &str, query: &str) -> String {
    match open(url, query, &PARAMETERS, Limits::default()).await {
        Ok(_) => panic!("it was to be refused: {query}"),
        Err(error) => format!("{error} {error:?}"),
    }
}

pub(crate) fn text(value: &str) -> Parameter {
    Parameter::Text(value.into())
}

pub(crate) fn question(relation: Relation, user: &str, parameters: &[(&str, Parameter)]) -> Question {
    Question {
        relation,
        resource: "any:thing".into(),
        user: user.into(),
        parameters: parameters.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
    }
}

pub(crate) async fn ask(
    rights: &ApplicationRights,
    relation: Relation,
    user: &str,
    parameters: &[(&str, Parameter)],
) -> Result<Answer, RightsError> {
    rights.ask(&question(relation, user, parameters)).await
}

pub(crate) fn granted(attributes: Value) -> Answer {
    match attributes {
        Value::Object(map) => Answer::Granted(map),
        _ => Answer::Granted(Map::new()),
    }
}

/// What a database says to the queries above, whichever it is. `id` is how its path gives a number.
pub(crate) async fn answers_are_as_promised(url: &str) {
    let entry = opened(url, ENTRY).await;
    let attributes = json!({"content": "It's 'quoted' :user", "is_deleted": false, "number": 17});
    for (user, id, answer) in [
        ("7", Parameter::Integer(17), granted(attributes.clone())),
        ("7", text("17"), granted(attributes)),
        ("8", Parameter::Integer(17), Answer::Foreign),
        ("07", Parameter::Integer(17), Answer::Foreign),
        ("7.0", Parameter::Integer(17), Answer::Foreign),
        ("7 ", Parameter::Integer(17), Answer::Foreign),
        ("ada", Parameter::Integer(17), Answer::Foreign),
        ("", Parameter::Integer(17), Answer::Foreign),
        ("7", Parameter::Integer(18), Answer::Absent),
        ("7", Parameter::Integer(i64::MAX), Answer::Absent),
        ("7", Parameter::Integer(i64::MIN), Answer::Absent),
        ("7", text("017"), Answer::Absent),
        ("7", text("17.0"), Answer::Absent),
        ("7", text(" 17"), Answer::Absent),
        ("7", text("seventeen"), Answer::Absent),
        ("7", text(""), Answer::Absent),
        ("", Parameter::Integer(19), Answer::Foreign),
        ("null", Parameter::Integer(19), Answer::Foreign),
    ] {
        let said = ask(&entry, Relation::Owner, user, &[("entry", id.clone())]).await.expect("it answers");
        assert_eq!(said, answer, "entry {id:?} of {user:?}");
    }
    assert_eq!(ask(&entry, Relation::Owner, "7", &[]).await.expect("it answers"), Answer::Absent, "left out is NULL");

    let note = opened(url, NOTE).await;
    for (user, name, answer) in [
        ("ada", "a", granted(json!({}))),
        ("Ada", "a", Answer::Foreign),
        ("ada ", "a", Answer::Foreign),
        ("ada", "A", Answer::Absent),
        ("7", "7", granted(json!({}))),
        ("ada", "n", Answer::Foreign),
    ] {
        let said = ask(&note, Relation::Owner, user, &[("note", text(name))]).await.expect("it answers");
        assert_eq!(said, answer, "note {name} of {user:?}");
    }
    let by_number = ask(&note, Relation::Owner, "7", &[("note", Parameter::Integer(7))]).await.expect("it answers");
    assert_eq!(by_number, granted(json!({})), "a number is compared with a text as its spelling");

    let channel = opened(url, CHANNEL).await;
    for (user, id, answer) in [
        ("7", Parameter::Integer(5), granted(json!({"one": 1}))),
        ("8", text("5"), granted(json!({"one": 1}))),
        ("9", Parameter::Integer(5), Answer::Foreign),
        ("7", Parameter::Integer(6), Answer::Foreign),
        // Each of these reads as the number of a member, and is another name.
        ("07", Parameter::Integer(5), Answer::Foreign),
        ("7.0", Parameter::Integer(5), Answer::Foreign),
        (" 7", Parameter::Integer(5), Answer::Foreign),
        ("7\n", Parameter::Integer(5), Answer::Foreign),
        ("+7", Parameter::Integer(5), Answer::Foreign),
        ("70e-1", Parameter::Integer(5), Answer::Foreign),
        ("7", text("05"), Answer::Foreign),
        ("7", text("5e0"), Answer::Foreign),
        ("ada", Parameter::Integer(5), Answer::Foreign),
    ] {
        let said = ask(&channel, Relation::Member, user, &[("channel", id.clone())]).await.expect("it answers");
        assert_eq!(said, answer, "channel {id:?} for {user:?}");
    }

    let room = opened(url, ROOM).await;
    for (user, name, is_in) in [
        ("ada", "lobby", true),
        ("007", "lobby", true),
        ("7", "05", true),
        ("8", "1e3", true),
        ("ADA", "lobby", false),
        ("7", "lobby", false),
        ("7", "5", false),
        ("8", "1000", false),
        ("ada", "", false),
    ] {
        let said = ask(&room, Relation::Member, user, &[("query.room", text(name))]).await.expect("it answers");
        let answer = if is_in { granted(json!({"room": name})) } else { Answer::Foreign };
        assert_eq!(said, answer, "room {name} for {user:?}");
    }
}

/// Texts that would say something of their own if they became part of a query.
pub(crate) const INJECTIONS: [&str; 14] = [
    "' OR '1'='1",
    "' OR 1=1 --",
    "5 OR 1=1",
    "7) OR (1=1",
    "'; DROP TABLE entries; --",
    "\" OR \"\"=\"",
    "\\' OR 1=1 --",
    "7 UNION SELECT 7",
    ":user",
    "?1",
    "$1",
    "%",
    "lobby\0",
    "$$ OR TRUE --$$",
];

/// Every parameter of every query gets every injection; nobody gets in, and nothing fails.
pub(crate) async fn injections_say_nothing(url: &str) {
    let resource = "SELECT 1 FROM room_members WHERE room = :resource AND user_name = :user";
    for (query, relation, name, good) in [
        (ENTRY, Relation::Owner, "entry", "17"),
        (NOTE, Relation::Owner, "note", "a"),
        (CHANNEL, Relation::Member, "channel", "5"),
        (ROOM, Relation::Member, "query.room", "lobby"),
        (resource, Relation::Member, "note", "a"),
    ] {
        let rights = opened(url, query).await;
        for injection in INJECTIONS {
            for (user, value) in [("7", injection), (injection, good), (injection, injection)] {
                let mut asked = question(relation, user, &[(name, text(value))]);
                asked.resource = value.into();
                let said = rights.ask(&asked).await.unwrap_or_else(|error| panic!("{query} {injection}: {error:?}"));
                assert!(matches!(said, Answer::Foreign | Answer::Absent), "{query} {user:?} {value:?}: {said:?}");
            }
        }
    }
    // The control: the tables are as they were, and who may enter still does.
    answers_are_as_promised(url).await;
}
