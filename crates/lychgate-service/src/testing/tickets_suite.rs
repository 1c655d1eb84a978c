//! What keeping the contract of [`Tickets`] means.

use std::sync::Arc;

use futures_util::future::join_all;

use crate::ports::tickets::{StoredTicket, Tickets};

const NOW_S: u64 = 1_700_000_000;

/// Runs the suite; `make` returns an empty store of its own at each call.
///
/// # Panics
///
/// Panics at the first rule that is broken.
pub async fn tickets_conformance<F, Fut>(make: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = Arc<dyn Tickets>>,
{
    a_ticket_is_taken_once(&*make().await).await;
    a_ticket_ends_in_its_second(&*make().await).await;
    tickets_are_apart(&*make().await).await;
    old_tickets_hinder_no_new_one(&*make().await).await;
    of_many_who_take_one_ticket_one_gets_it(&*make().await).await;
}

fn ticket(n: u8, expires_at_s: u64) -> StoredTicket {
    StoredTicket { hash: [n; 32], claims: format!(r#"{{"sub":"'user\" {n}"}}"#), expires_at_s }
}

async fn put(tickets: &dyn Tickets, ticket: &StoredTicket) {
    tickets.put(ticket, NOW_S).await.expect("a ticket can be put");
}

async fn take(tickets: &dyn Tickets, n: u8, now_s: u64) -> Option<String> {
    tickets.take(&[n; 32], now_s).await.expect("asking works")
}

async fn a_ticket_is_taken_once(tickets: &dyn Tickets) {
    assert_eq!(take(tickets, 1, NOW_S).await, None, "there is none yet");
    put(tickets, &ticket(1, NOW_S + 30)).await;
    assert_eq!(take(tickets, 1, NOW_S).await, Some(ticket(1, 0).claims), "claims come back as they were put");
    assert_eq!(take(tickets, 1, NOW_S).await, None, "it is gone");
}

async fn a_ticket_ends_in_its_second(tickets: &dyn Tickets) {
    for (n, late_s, is_good) in [(1, 29, true), (2, 30, false), (3, 31, false)] {
        put(tickets, &ticket(n, NOW_S + 30)).await;
        assert_eq!(take(tickets, n, NOW_S + late_s).await.is_some(), is_good, "{late_s} s later");
    }
}

async fn tickets_are_apart(tickets: &dyn Tickets) {
    for n in 0..=20 {
        put(tickets, &ticket(n, NOW_S + 30)).await;
    }
    let mut near = [7; 32];
    near[31] = 8;
    assert_eq!(tickets.take(&near, NOW_S).await.expect("asking works"), None, "the last byte counts");
    assert_eq!(take(tickets, 7, NOW_S).await, Some(ticket(7, 0).claims));
    assert_eq!(take(tickets, 8, NOW_S).await, Some(ticket(8, 0).claims), "another one is still there");
}

async fn old_tickets_hinder_no_new_one(tickets: &dyn Tickets) {
    for n in 0..40 {
        put(tickets, &ticket(n, NOW_S + 30)).await;
    }
    let later = NOW_S + 3_600;
    for n in 40..50 {
        tickets.put(&ticket(n, later + 30), later).await.expect("a ticket can be put");
    }
    for n in 0..50 {
        assert_eq!(take(tickets, n, later).await.is_some(), n >= 40, "ticket {n}");
    }
}

async fn of_many_who_take_one_ticket_one_gets_it(tickets: &dyn Tickets) {
    for n in 0..8 {
        put(tickets, &ticket(n, NOW_S + 30)).await;
        let answers = join_all((0..32).map(|_| take(tickets, n, NOW_S))).await;
        let got: Vec<_> = answers.into_iter().flatten().collect();
        assert_eq!(got, [ticket(n, 0).claims], "round {n}");
    }
}
