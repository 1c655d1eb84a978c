//! The table of close codes.

use std::collections::HashSet;

use lychgate_protocol::ws::close::CLOSE_CODES;
use lychgate_protocol::ws::{CloseCode, Retry};

#[test]
fn the_table_is_sorted_and_names_are_unique() {
    assert!(CLOSE_CODES.is_sorted_by(|a, b| a.code < b.code));
    let names: HashSet<_> = CLOSE_CODES.iter().map(|entry| entry.name).collect();
    assert_eq!(names.len(), CLOSE_CODES.len());
}

#[test]
fn an_entry_is_sent_exactly_if_the_wire_allows_it() {
    for entry in CLOSE_CODES {
        assert_eq!(entry.is_sent, entry.code.is_valid_on_wire(), "{}", entry.code);
        assert!(entry.meaning.len() <= 123, "{}: the meaning fits a close reason", entry.code);
        assert!(entry.meaning.ends_with('.'), "{}", entry.code);
        assert_eq!(entry.code.meaning(), entry.meaning);
        assert_eq!(entry.code.retry(), entry.retry);
    }
}

#[test]
fn the_wire_allows_what_the_registry_does() {
    let allowed = |code: u16| matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
    for code in 0..=u16::MAX {
        assert_eq!(CloseCode(code).is_valid_on_wire(), allowed(code), "{code}");
    }
}

#[test]
fn our_ranges_say_whether_a_client_returns() {
    for code in 3000..=4999 {
        let retry = CloseCode(code).retry();
        let stops = matches!(code, 3500..=3999 | 4500..=4999);
        assert_eq!(retry == Retry::Stop, stops, "{code}");
    }
}

#[test]
fn each_way_to_return_has_its_codes() {
    let table = [
        (CloseCode::NORMAL, Retry::Stop),
        (CloseCode::GOING_AWAY, Retry::Reconnect),
        (CloseCode::ABNORMAL, Retry::Reconnect),
        (CloseCode::POLICY, Retry::RefreshThenReconnect),
        (CloseCode::TOO_BIG, Retry::Stop),
        (CloseCode::RESTART, Retry::Reconnect),
        (CloseCode::EXPIRED, Retry::RefreshThenReconnect),
        (CloseCode::SLOW, Retry::Reconnect),
        (CloseCode::NO_PONG, Retry::Reconnect),
        (CloseCode::TOO_MANY_REQUESTS, Retry::Reconnect),
        (CloseCode::INVALID_TOKEN, Retry::Stop),
        (CloseCode(4001), Retry::Reconnect),
        (CloseCode(4500), Retry::Stop),
    ];
    for (code, retry) in table {
        assert_eq!(code.retry(), retry, "{code:?}");
    }
    assert_eq!(CloseCode(3005), CloseCode::EXPIRED);
    assert_eq!(CloseCode(3008), CloseCode::SLOW);
    assert_eq!(CloseCode(3012), CloseCode::NO_PONG);
    assert_eq!(CloseCode(3013), CloseCode::TOO_MANY_REQUESTS);
}

#[test]
fn a_code_prints_as_its_number() {
    assert_eq!(CloseCode::SLOW.to_string(), "3008");
    assert_eq!(format!("{:?} {:?}", CloseCode::SLOW, CloseCode(4001)), "3008 slow 4001");
}
