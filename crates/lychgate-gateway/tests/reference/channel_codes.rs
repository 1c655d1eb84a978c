//! The codes of the channel protocol.

use std::fmt::Write as _;

use lychgate_protocol::centrifuge::code::{
    DISCONNECTS, DisconnectNext, ERRORS, ErrorNext, UNSUBSCRIBES, UnsubscribeNext,
};

use super::hold;

#[test]
fn channel_codes_page() {
    let mut page = "\
# Channel codes

The numbers by which the channel protocol says no, and what the clients' libraries do next by themselves.

## Errors

Each answers one command, as `{\"id\": …, \"error\": {\"code\": …, \"message\": …, \"temporary\": true}}`; `temporary` is left out where the table says no.
What stands in the last column is for connecting and subscribing. Every other command hands the error to its caller.

| code | name | message | temporary | meaning | a client |
|---|---|---|---|---|---|
"
    .to_owned();
    for entry in ERRORS {
        let next = match entry.next {
            ErrorNext::Retry => "tries again, with backoff",
            ErrorNext::RefreshThenRetry => "gets a new token and tries again",
            ErrorNext::NewPosition => {
                "asks its application for a position and subscribes anew; stops where there is none"
            }
            ErrorNext::Stop => "stops with this code",
        };
        let temporary = if entry.is_temporary { "yes" } else { "no" };
        let _ = writeln!(
            page,
            "| {} | {} | {} | {temporary} | {} | {next} |",
            entry.code, entry.name, entry.message, entry.meaning
        );
    }
    page.push_str(
        "
Codes below 100 are the clients' own. 100 to 399 are the protocol's, 400 to 1999 an application's.

## Disconnects

Each ends a connection, as the code and the reason of its close frame.

| code | reason | meaning | a client |
|---|---|---|---|
",
    );
    for entry in DISCONNECTS {
        let next = match entry.next {
            DisconnectNext::Reconnect => "connects again, with backoff",
            DisconnectNext::Restart => "drops its tokens and positions, and connects again",
            DisconnectNext::Stop => "stops",
        };
        let reason = if entry.is_sent { entry.reason.to_owned() } else { format!("{} (never sent)", entry.reason) };
        let _ = writeln!(page, "| {} | {reason} | {} | {next} |", entry.code, entry.meaning);
    }
    page.push_str(
        "
4000 to 4499 are an application's and mean \"connect again\", 4500 to 4999 are an application's and mean \"stop\".
A client also stops at 1009, a message that is too long. The codes of WebSocket itself: [close codes](close-codes.md).

## Unsubscribes

Each ends one subscription, as `{\"push\": {\"channel\": …, \"unsubscribe\": {\"code\": …, \"reason\": …}}}`.

| code | name | reason | meaning | a client |
|---|---|---|---|---|
",
    );
    for entry in UNSUBSCRIBES {
        let next = match entry.next {
            UnsubscribeNext::Stop => "leaves the subscription ended",
            UnsubscribeNext::Resubscribe => "subscribes again, and recovers what it missed",
            UnsubscribeNext::Restart => "drops its token and its position, and subscribes again",
        };
        let _ = writeln!(page, "| {} | {} | {} | {} | {next} |", entry.code, entry.name, entry.reason, entry.meaning);
    }
    page.push_str(
        "
2100 to 2499 are an application's and leave the subscription ended, 2600 to 2999 are an application's and mean \"subscribe again\".
",
    );
    hold("channel-codes.md", &page);
}
