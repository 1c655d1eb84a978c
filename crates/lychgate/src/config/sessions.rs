//! `[sessions]` and `[revocations]`: how long a login goes on, and what ends it before its time.

use std::time::Duration;

use super::Raw;
use super::fault::{Faults, Notice};
use super::section::section;
use super::settings::check_path;
use super::shape::{Count, Flag, Text, Time, show_time};

const DAY: Duration = Duration::from_secs(86_400);

section! {
    /// Sessions of logins. With refresh tokens a login goes on without the password, and ends when it is told to.
    SessionSettings = "sessions" {
        /// Whether a login's answer holds a `refresh_token` and, in seconds, `refresh_expires_in`. Such a token is sent
        /// to `login.path` with `grant_type` `refresh_token`.
        refresh_tokens: bool = Flag, false;
        /// How long a session lasts that is not refreshed.
        idle_timeout: Duration = Time { least: Duration::from_secs(1), most: DAY.saturating_mul(366) }, DAY.saturating_mul(14);
        /// How long it lasts at most.
        lifetime: Duration = Time { least: Duration::from_secs(1), most: DAY.saturating_mul(3_660) }, DAY.saturating_mul(90);
        /// How long after its use a refresh token may be shown once more, by a client that did not get the answer.
        /// Later the session ends, since a thief may have it.
        repeat_within: Duration = Time { least: Duration::ZERO, most: Duration::from_secs(300) }, Duration::from_secs(10);
        /// Sessions of one user. With another one, those that were not used for longest end.
        per_user_max: u32 = Count::of(1, 10_000), 100;
        /// The path that revokes a refresh token with its session, or an access token alone (RFC 7009). It is served
        /// with `refresh_tokens`.
        revoke_path: String = Text { what: "a path", check: check_path }, "/revoke".to_owned();
    }
}

section! {
    /// Tokens, sessions and users that are not let in any more, and whose sockets are closed.
    RevocationSettings = "revocations" {
        /// Revocations that may be kept when another one is asked for, which is refused then. The ends of sessions are
        /// always kept. Each goes when no token can be good any more that it concerns.
        entries_max: u32 = Count::of(1, 10_000_000), 100_000;
        /// How often it is looked for what other processes have revoked, such as `lychgate token revoke`.
        read_every: Duration = Time { least: Duration::from_millis(50), most: Duration::from_secs(60) }, Duration::from_secs(1);
        /// How old the last good look may be. Then nobody is let in by a token (`lookup`).
        stale_after: Duration = Time { least: Duration::from_millis(100), most: Duration::from_secs(600) }, Duration::from_secs(5);
    }
}

/// Checks that look at more than one of these settings.
pub(super) fn fit(raw: &Raw, faults: &mut Faults, notices: &mut Vec<Notice>) {
    let (sessions, revocations) = (&raw.sessions, &raw.revocations);
    if revocations.stale_after < revocations.read_every.saturating_mul(2) && !faults.concern("revocations") {
        faults.add(
            raw.place_or("revocations.stale_after", "revocations.read_every"),
            "revocations.stale_after",
            format!(
                "{} is less than two looks ({} apart) take, so that one late look would keep everybody out",
                show_time(revocations.stale_after),
                show_time(revocations.read_every)
            ),
            format!(
                "Raise it to {} or more, or lower revocations.read_every",
                show_time(revocations.read_every.saturating_mul(2))
            ),
        );
    }
    if !sessions.refresh_tokens {
        return;
    }
    if sessions.idle_timeout > sessions.lifetime && !faults.concern("sessions") {
        faults.add(
            raw.place_or("sessions.idle_timeout", "sessions.lifetime"),
            "sessions.idle_timeout",
            format!(
                "{} is longer than sessions.lifetime, {}",
                show_time(sessions.idle_timeout),
                show_time(sessions.lifetime)
            ),
            "Lower it, or raise sessions.lifetime",
        );
    }
    if !raw.login.enabled {
        let text = "has no effect: there is no login while login.enabled is false".to_owned();
        let key = "sessions.refresh_tokens".to_owned();
        notices.push(Notice { place: raw.place(&key), key, text });
    }
}
