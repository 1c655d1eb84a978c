//! The tables of codes.

use std::collections::HashSet;

use lychgate_protocol::centrifuge::ErrorReply;
use lychgate_protocol::centrifuge::code::{
    DISCONNECTS, DisconnectNext, ERRORS, ErrorCode, ErrorNext, UNSUBSCRIBES, UnsubscribeCode, UnsubscribeNext,
    disconnect_reason,
};
use lychgate_protocol::ws::close::CLOSE_CODES;
use lychgate_protocol::ws::{CloseCode, Retry};

#[test]
fn the_tables_are_sorted_and_names_are_unique() {
    assert!(ERRORS.is_sorted_by(|a, b| a.code < b.code));
    assert!(DISCONNECTS.is_sorted_by(|a, b| a.code < b.code));
    assert!(UNSUBSCRIBES.is_sorted_by(|a, b| a.code < b.code));
    assert_eq!(ERRORS.iter().map(|entry| entry.name).collect::<HashSet<_>>().len(), ERRORS.len());
    assert_eq!(UNSUBSCRIBES.iter().map(|entry| entry.name).collect::<HashSet<_>>().len(), UNSUBSCRIBES.len());
    let errors: Vec<u32> = ERRORS.iter().map(|entry| entry.code.0).collect();
    assert_eq!(errors, (100..=113).collect::<Vec<_>>());
    let meanings = ERRORS.iter().map(|entry| entry.meaning).chain(DISCONNECTS.iter().map(|entry| entry.meaning));
    for meaning in meanings.chain(UNSUBSCRIBES.iter().map(|entry| entry.meaning)) {
        assert!(meaning.ends_with('.'), "{meaning}");
    }
}

/// What the clients' libraries count on.
#[test]
fn an_error_says_whether_to_try_again() {
    let temporary: Vec<u32> = ERRORS.iter().filter(|entry| entry.is_temporary).map(|entry| entry.code.0).collect();
    assert_eq!(temporary, [100, 111, 113]);
    for entry in ERRORS {
        let expected = match entry.code.0 {
            109 => ErrorNext::RefreshThenRetry,
            112 => ErrorNext::NewPosition,
            _ if entry.is_temporary => ErrorNext::Retry,
            _ => ErrorNext::Stop,
        };
        assert_eq!(entry.next, expected, "{}", entry.code);
    }
    let reply = ErrorReply::from(ErrorCode::TOO_MANY_REQUESTS);
    assert_eq!((reply.code.0, reply.message, reply.temporary), (111, "too many requests", true));
    let reply = ErrorReply::from(ErrorCode(1234));
    assert_eq!((reply.message, reply.temporary), ("error", false));
    assert_eq!(
        format!("{:?} {} {:?}", ErrorCode::BAD_REQUEST, ErrorCode::BAD_REQUEST, ErrorCode(7)),
        "107 bad_request 107 7"
    );
}

#[test]
fn a_disconnect_is_a_close_code_with_the_same_ending() {
    for entry in DISCONNECTS {
        assert!(entry.reason.len() <= 123, "{}: the reason fits a close frame", entry.code);
        assert_eq!(disconnect_reason(entry.code), entry.reason);
        assert_eq!(entry.reconnects(), entry.code.retry() != Retry::Stop, "{}", entry.code);
        assert_eq!(entry.next == DisconnectNext::Restart, entry.code == CloseCode::STATE_INVALIDATED);
        assert!(!entry.is_sent || entry.code.entry().is_some(), "{} has a row of its own", entry.code);
    }
    let ours = CLOSE_CODES.iter().filter(|entry| entry.code.0 >= 3000);
    for entry in ours {
        assert_ne!(disconnect_reason(entry.code), "", "{}", entry.code);
    }
    assert_eq!(disconnect_reason(CloseCode(4001)), "");
}

#[test]
fn an_unsubscribe_says_whether_to_come_back() {
    let table = [
        (2000, UnsubscribeNext::Stop),
        (2100, UnsubscribeNext::Stop),
        (2499, UnsubscribeNext::Stop),
        (2500, UnsubscribeNext::Resubscribe),
        (2501, UnsubscribeNext::Resubscribe),
        (2502, UnsubscribeNext::Restart),
        (2600, UnsubscribeNext::Resubscribe),
    ];
    for (code, next) in table {
        assert_eq!(UnsubscribeCode(code).next(), next, "{code}");
    }
    assert_eq!(UnsubscribeCode::EXPIRED.reason(), "subscription expired");
    assert_eq!(UnsubscribeCode(2100).reason(), "");
    assert_eq!(format!("{:?} {}", UnsubscribeCode::SERVER, UnsubscribeCode(2100)), "2000 server 2100");
}
