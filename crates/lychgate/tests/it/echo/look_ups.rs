//! What a connection costs the application's database, by the database's own count.

use sqlx::{Connection as _, PgConnection};

use super::{ENTRY, Journal, at, behind, piece, rest, text, told, whole};
use crate::harness::{Model, Wire};

/// How often the server's two questions were put, of users and of entries.
async fn asked(journal: &Journal) -> (i64, i64) {
    let mut connection = PgConnection::connect(&journal.0.url()).await.expect("the application connects");
    let count = "select coalesce(sum(calls) filter (where query ~ 'from users'), 0)::int8, \
                        coalesce(sum(calls) filter (where query ~ 'from entries'), 0)::int8 \
                 from pg_stat_statements s join pg_roles r on r.oid = s.userid \
                 where r.rolname = 'reader' and query !~* '^explain'";
    let counted = sqlx::query_as(count).fetch_one(&mut connection).await.expect("the extension is there");
    connection.close().await.expect("the application goes");
    counted
}

#[tokio::test]
async fn a_connection_costs_one_look_up_of_its_user_and_one_of_its_entry_and_none_while_it_streams() {
    let mut journal = Journal::start().await;
    journal.run("alter system set shared_preload_libraries = 'pg_stat_statements'").await;
    journal.0.restart();
    journal.run("create extension pg_stat_statements").await;
    let model = Model::bind().await;
    let server = behind(&text(), &journal, &model).start().await;
    journal.run("select pg_stat_statements_reset()").await;
    assert_eq!(asked(&journal).await, (0, 0));

    let mut ann = Wire::open(server.address, &at(ENTRY, "1")).await;
    let mut speaks = model.asked().await;
    assert_eq!(asked(&journal).await, (1, 1), "to come in");
    speaks.says(&[]).await;
    for n in 0..200 {
        let token = format!("{n} ");
        speaks.goes_on(&[&token]).await;
        assert_eq!(piece(&mut ann).await, token);
    }
    assert_eq!(asked(&journal).await, (1, 1), "while it streams");
    let mut ann_too = Wire::open(server.address, &at(ENTRY, "1")).await;
    assert!(piece(&mut ann_too).await.starts_with("0 1 2 "));
    assert_eq!(asked(&journal).await, (2, 2), "to come in beside the first");
    speaks.ends().await;
    assert_eq!(rest(&mut ann).await, (String::new(), whole()));
    assert_eq!(rest(&mut ann_too).await, (String::new(), whole()));
    assert_eq!(asked(&journal).await, (2, 2), "to leave");

    // Whom a check stops is not asked about further.
    for (who, entry, cost) in [
        ("", ENTRY, (2, 2)),
        ("ann", ENTRY, (2, 2)),
        ("99", ENTRY, (3, 2)),
        ("3", ENTRY, (4, 2)),
        ("1", "/ws/reflections/abc", (5, 2)),
        ("1", "/ws/reflections/999", (6, 3)),
        ("2", ENTRY, (7, 4)),
    ] {
        let target = if who.is_empty() { entry.to_owned() } else { at(entry, who) };
        let mut refused = Wire::open(server.address, &target).await;
        assert_ne!(refused.closed_politely().await, told(1000, ""), "{who}");
        assert_eq!(asked(&journal).await, cost, "{who:?} at {entry}");
    }
}
