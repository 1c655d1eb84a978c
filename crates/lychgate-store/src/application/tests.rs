//! What a query is taken apart into, and which texts are none.

use lychgate_service::ports::rights::{Parameter, Question, Relation};

use super::OpenError;
use super::place::Place;
use super::query::Query;
use super::scan::Dialect;
use super::values::{Value, integer, mistaken, values};

const PARAMETERS: [&str; 4] = ["channel", "query.room", "entry-id", "user"];

fn rendered(text: &str, dialect: Dialect) -> Result<String, String> {
    let query = Query::parse(text, &PARAMETERS, dialect).map_err(|error| error.to_string())?;
    Ok(query.render(|n| format!("<{n}>")))
}

#[test]
fn names_are_found_where_they_are_names() {
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        for (text, expected) in [
            ("SELECT :user", "SELECT <0>"),
            ("select :user,:channel , :user", "select <0>,<1> , <2>"),
            ("with x as (select :query_room) select :entry_id", "with x as (select <0>) select <1>"),
            ("SELECT ':user', \":user\", ':a''b:user', :resource", "SELECT ':user', \":user\", ':a''b:user', <0>"),
            ("SELECT 1 -- :nobody ' \n, :user", "SELECT 1  \n, <0>"),
            ("SELECT /* :nobody ' */ :user", "SELECT   <0>"),
            ("-- first\n/* then */ SELECT 1;", " \n  SELECT 1"),
            ("SELECT 1 ; -- the end\n ;", "SELECT 1   \n "),
            ("SELECT 'é' || :user || 'ü'", "SELECT 'é' || <0> || 'ü'"),
            ("SELECT a::text, b :: int, :user::text", "SELECT a::text, b :: int, <0>::text"),
            ("SELECT ';' , \"--\"", "SELECT ';' , \"--\""),
        ] {
            assert_eq!(rendered(text, dialect).as_deref(), Ok(expected), "{dialect:?} {text}");
        }
    }
    for (text, expected) in [
        ("SELECT $$ :user ; $$, $a$ $$ :x $a$, :user", "SELECT $$ :user ; $$, $a$ $$ :x $a$, <0>"),
        (r"SELECT e'\' :x', E'\\', 'a\', :user", r"SELECT e'\' :x', E'\\', 'a\', <0>"),
        ("SELECT /* a /* :x */ :y */ :user", "SELECT   <0>"),
        ("SELECT data ? 'key' AND tags @> :user", "SELECT data ? 'key' AND tags @> <0>"),
        ("SELECT list[1:2] , some$1$ , :user", "SELECT list[1:2] , some$1$ , <0>"),
        ("SELECT name'x:user'", "SELECT name'x:user'"),
    ] {
        assert_eq!(rendered(text, Dialect::Postgres).as_deref(), Ok(expected), "{text}");
    }
    for (text, expected) in [
        ("SELECT [:user], `:user`, :user", "SELECT [:user], `:user`, <0>"),
        ("SELECT /* a /* :x */ :user", "SELECT   <0>"),
        (r"SELECT 'a\', :user", r"SELECT 'a\', <0>"),
    ] {
        assert_eq!(rendered(text, Dialect::Sqlite).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_no_single_select_is_refused() {
    use Dialect::{Postgres, Sqlite};
    for (text, dialects, says) in [
        ("", vec![Sqlite, Postgres], "does not begin with SELECT or WITH"),
        (" -- SELECT", vec![Sqlite, Postgres], "does not begin"),
        ("DELETE FROM users", vec![Sqlite, Postgres], "does not begin"),
        ("(SELECT 1)", vec![Sqlite, Postgres], "does not begin"),
        ("SELECTED", vec![Sqlite, Postgres], "does not begin"),
        ("'SELECT' 1", vec![Sqlite, Postgres], "does not begin"),
        ("SELECT 1; DELETE FROM users", vec![Sqlite, Postgres], "more than one statement"),
        ("SELECT 1;;:user", vec![Sqlite, Postgres], "more than one statement"),
        ("SELECT 1) AS x; (SELECT 1", vec![Sqlite, Postgres], "closes that did not open"),
        ("SELECT (1", vec![Sqlite, Postgres], "does not close"),
        ("SELECT 'a", vec![Sqlite, Postgres], "a quote in it does not end"),
        ("SELECT \"a", vec![Sqlite, Postgres], "a quote in it does not end"),
        ("SELECT 1 /* a", vec![Sqlite, Postgres], "a comment in it does not end"),
        ("SELECT /* /* */ 1", vec![Postgres], "a comment in it does not end"),
        ("SELECT $a$ 1", vec![Postgres], "a quote in it does not end"),
        ("SELECT $1", vec![Postgres, Sqlite], "is no name"),
        ("SELECT ?", vec![Sqlite], "? is no name"),
        ("SELECT ?1, @a", vec![Sqlite], "? is no name"),
        ("SELECT @a", vec![Sqlite], "@ is no name"),
        (
            "SELECT :usr",
            vec![Sqlite, Postgres],
            "there is no :usr; it may name :user, :resource, :channel, :query_room",
        ),
        ("SELECT :Channel", vec![Sqlite, Postgres], "there is no :Channel"),
        ("SELECT :query.room", vec![Sqlite, Postgres], "there is no :query;"),
    ] {
        for dialect in dialects {
            let error = rendered(text, dialect).expect_err(text);
            assert!(error.contains(says), "{dialect:?} {text}: {error}");
        }
    }
    let twins = Query::parse("SELECT 1", &["query.room", "query_room"], Sqlite);
    assert!(matches!(&twins, Err(OpenError::Query(what)) if what.contains("query.room and query_room")), "{twins:?}");
}

#[test]
fn values_are_what_the_question_says() {
    let text = "SELECT :user, :resource, :channel, :query_room, :entry_id";
    let query = Query::parse(text, &PARAMETERS, Dialect::Sqlite).expect("it is a query");
    let mut question = Question {
        relation: Relation::Member,
        resource: "chat:5".into(),
        user: "7".into(),
        parameters: vec![
            ("channel".into(), Parameter::Integer(5)),
            ("query.room".into(), Parameter::Text("05".into())),
            // A part of the path that is called so is not the verified user.
            ("user".into(), Parameter::Text("root".into())),
        ],
    };
    let rest = [Value::Text("chat:5".into()), Value::Integer(5), Value::Text("05".into()), Value::Null];
    for (user, value) in [
        ("7", Value::Integer(7)),
        ("-7", Value::Integer(-7)),
        ("07", Value::Text("07".into())),
        ("7 ", Value::Text("7 ".into())),
        ("9223372036854775808", Value::Text("9223372036854775808".into())),
        ("ada", Value::Text("ada".into())),
    ] {
        question.user = user.into();
        let values = values(query.slots(), &question);
        assert_eq!((&values[0], &values[1..]), (&value, &rest[..]), "{user}");
    }
}

#[test]
fn texts_that_read_as_numbers_are_known() {
    for text in ["7", "-7", "0", "9223372036854775807"] {
        assert!(integer(text).is_some() && mistaken(text).is_none(), "{text}");
    }
    for (text, number) in [
        ("07", Value::Integer(7)),
        (" 7", Value::Integer(7)),
        ("7\n", Value::Integer(7)),
        ("+7", Value::Integer(7)),
        ("-0", Value::Integer(0)),
        ("7.0", Value::Real(7.0)),
        ("7.", Value::Real(7.0)),
        (".7e1", Value::Real(7.0)),
        ("70E-1", Value::Real(7.0)),
        ("9223372036854775808", Value::Real(9_223_372_036_854_775_808.0)),
    ] {
        assert!(integer(text).is_none(), "{text}");
        assert_eq!(mistaken(text), Some(number), "{text}");
    }
    for text in ["", "ada", "0x7", "7a", "e", "-", "nan", "inf", "7 7", "1e", "٣"] {
        assert_eq!((integer(text), mistaken(text)), (None, None), "{text}");
    }
}

#[test]
fn urls_name_databases_and_are_not_repeated() {
    for url in ["sqlite:app.db", "sqlite:///srv/app.db"] {
        assert!(matches!(Place::parse(url), Ok(Place::Sqlite(_))), "{url}");
    }
    for url in [
        "postgres://app@db/app",
        "postgresql://app:p%40ss@db:5433/app?sslmode=verify-full&sslrootcert=/etc/ca.pem",
        "postgres:///app?host=/run/postgresql",
    ] {
        assert!(matches!(Place::parse(url), Ok(Place::Postgres(_))), "{url}");
    }
    for url in [
        "",
        "app.db",
        "sqlite:",
        "sqlite::memory:",
        "sqlite:app.db?mode=rwc",
        "mysql://app:hunter2@db/app",
        "postgres://app:hunt/er2@db/app",
        "postgres://app:12#hunter2@db/app",
        "postgres://app:12?hunter2@db/app",
        "postgres://app:hunter2@db:port/app",
        "postgres://app@db/app?passwort=hunter2",
        "postgres://app@db/app?sslmode=hunter2",
    ] {
        let Err(error) = Place::parse(url) else { panic!("{url}") };
        let says = format!("{error} {error:?}");
        assert!(!says.contains("hunter2") && !says.contains("er2"), "{says}");
    }
}
