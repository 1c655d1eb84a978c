//! Sessions and revocations in memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use parking_lot::Mutex;

use crate::ports::StoreError;
use crate::ports::clock::SystemClock;
use crate::ports::revocations::{Numbered, Revocation, RevocationLog, Revoked};
use crate::ports::sessions::{
    End, EndedBy, NewRefresh, RefreshHash, RefreshState, Rotation, Sessions, Shown, StoredSession,
};
use crate::ports::users::UserId;
use crate::revocations::{RevocationLimits, Revocations};

/// Sessions and revocations in memory.
#[derive(Default)]
pub struct MemorySessions(Mutex<State>);

#[derive(Default)]
struct State {
    sessions: BTreeMap<String, StoredSession>,
    tokens: BTreeMap<RefreshHash, Token>,
    revocations: Vec<Numbered>,
    last_number: u64,
    is_away: bool,
}

struct Token {
    sid: String,
    idle_ends_at_s: u64,
    used: Option<(u64, RefreshHash)>,
    is_repeated: bool,
    is_replaced: bool,
}

/// Revocations of which there are none, for tests that are about something else.
#[must_use]
pub fn nothing_revoked() -> Arc<Revocations> {
    let limits = RevocationLimits {
        entries_max: 100,
        read_every: Duration::from_secs(1),
        stale_after: Duration::MAX,
        longest_token_s: 1_800,
    };
    let revocations = Revocations::new(Arc::new(MemorySessions::default()), Arc::new(SystemClock), limits);
    // The fake never waits.
    let _ = revocations.read().now_or_never();
    Arc::new(revocations)
}

impl MemorySessions {
    /// Makes every call fail from now on, or none.
    pub fn set_away(&self, is_away: bool) {
        self.0.lock().is_away = is_away;
    }

    fn with<R>(&self, act: impl FnOnce(&mut State) -> R) -> Result<R, StoreError> {
        let mut state = self.0.lock();
        if state.is_away {
            return Err(StoreError::Unavailable("as the test wants it".into()));
        }
        Ok(act(&mut state))
    }
}

impl State {
    fn revoke(&mut self, revocation: Revocation) {
        self.last_number += 1;
        self.revocations.push(Numbered { number: self.last_number, revocation });
    }

    fn end(&mut self, sid: &str, end: End) -> bool {
        let Some(session) = self.sessions.get_mut(sid).filter(|session| session.ended.is_none()) else { return false };
        session.ended = Some((end.now_s, end.by));
        let what = Revoked::Session(sid.to_owned());
        self.revoke(Revocation { what, ends_at_s: end.tokens_end_at_s });
        true
    }

    fn add(&mut self, sid: &str, new: NewRefresh) {
        let token = Token {
            sid: sid.to_owned(),
            idle_ends_at_s: new.idle_ends_at_s,
            used: None,
            is_repeated: false,
            is_replaced: false,
        };
        self.tokens.insert(new.hash, token);
    }

    fn rotate(&mut self, shown: &Shown) -> Rotation {
        let Some(token) = self.tokens.get(&shown.hash) else { return Rotation::Unknown };
        let (sid, heir) = (token.sid.clone(), token.used.map(|(_, heir)| heir));
        let Some(session) = self.sessions.get(&sid) else { return Rotation::Unknown };
        let is_live = |heir: &Token| heir.used.is_none() && !heir.is_replaced;
        let state = RefreshState {
            used_at_us: token.used.map(|(at_us, _)| at_us),
            is_repeated: token.is_repeated,
            is_replaced: token.is_replaced,
            idle_ends_at_s: token.idle_ends_at_s,
            has_live_heir: heir.and_then(|heir| self.tokens.get(&heir)).is_some_and(is_live),
            is_ended: session.ended.is_some(),
            session_ends_at_s: session.ends_at_s,
        };
        let verdict = state.verdict(shown);
        match verdict {
            Rotation::Rotated | Rotation::Replaced => {
                if let Some(before) = heir.and_then(|heir| self.tokens.get_mut(&heir)) {
                    before.is_replaced = true;
                }
                if let Some(token) = self.tokens.get_mut(&shown.hash) {
                    let used_at_us = token.used.map_or(shown.now.0, |(at_us, _)| at_us);
                    token.used = Some((used_at_us, shown.heir.hash));
                    token.is_repeated = verdict == Rotation::Replaced;
                }
                self.add(&sid, shown.heir);
                if let Some(session) = self.sessions.get_mut(&sid) {
                    session.last_used_at_us = shown.now.0;
                    session.idle_ends_at_s = shown.heir.idle_ends_at_s;
                }
            }
            Rotation::Repeated => {
                if let Some(token) = self.tokens.get_mut(&shown.hash) {
                    token.is_repeated = true;
                }
            }
            Rotation::Replayed => {
                let (now_s, tokens_end_at_s) = (shown.now.seconds(), shown.tokens_end_at_s);
                self.end(&sid, End { by: EndedBy::Replay, now_s, tokens_end_at_s });
            }
            Rotation::RepeatedBefore | Rotation::Ended | Rotation::Over | Rotation::Unknown => {}
        }
        verdict
    }

    /// Live sessions of a user, the one that was not used for longest first.
    fn live_of(&self, user: UserId, now_s: u64) -> Vec<String> {
        let mut live: Vec<_> =
            self.sessions.values().filter(|session| session.user == user && session.is_live(now_s)).collect();
        live.sort_by_key(|session| (session.last_used_at_us, session.created_at_s));
        live.into_iter().map(|session| session.sid.clone()).collect()
    }
}

#[async_trait]
impl Sessions for MemorySessions {
    async fn open(
        &self,
        session: &StoredSession,
        first: RefreshHash,
        per_user_max: u32,
        tokens_end_at_s: u64,
    ) -> Result<Vec<String>, StoreError> {
        self.with(|state| {
            let now_s = session.created_at_s;
            let live = state.live_of(session.user, now_s);
            let over = (live.len() + 1).saturating_sub(per_user_max as usize);
            let ended: Vec<String> = live.into_iter().take(over).collect();
            for sid in &ended {
                state.end(sid, End { by: EndedBy::Limit, now_s, tokens_end_at_s });
            }
            state.sessions.insert(session.sid.clone(), session.clone());
            state.add(&session.sid, NewRefresh { hash: first, idle_ends_at_s: session.idle_ends_at_s });
            ended
        })
    }

    async fn find(&self, hash: &RefreshHash) -> Result<Option<StoredSession>, StoreError> {
        self.with(|state| state.tokens.get(hash).and_then(|token| state.sessions.get(&token.sid)).cloned())
    }

    async fn rotate(&self, shown: &Shown) -> Result<Rotation, StoreError> {
        self.with(|state| state.rotate(shown))
    }

    async fn end(&self, sid: &str, end: End) -> Result<bool, StoreError> {
        self.with(|state| state.end(sid, end))
    }

    async fn end_all_of(&self, user: UserId, end: End) -> Result<u32, StoreError> {
        self.with(|state| {
            let live = state.live_of(user, end.now_s);
            let ended = live.iter().filter(|sid| state.end(sid, end)).count();
            u32::try_from(ended).unwrap_or(u32::MAX)
        })
    }

    async fn list(&self, user: UserId) -> Result<Vec<StoredSession>, StoreError> {
        self.with(|state| {
            let mut all: Vec<_> = state.sessions.values().filter(|session| session.user == user).cloned().collect();
            all.sort_by(|a, b| (b.created_at_s, &b.sid).cmp(&(a.created_at_s, &a.sid)));
            all
        })
    }
}

#[async_trait]
impl RevocationLog for MemorySessions {
    async fn append(&self, revocation: &Revocation, entries_max: u32, now_s: u64) -> Result<bool, StoreError> {
        self.with(|state| {
            state.revocations.retain(|kept| kept.revocation.ends_at_s > now_s);
            let has_room = state.revocations.len() < entries_max as usize;
            if let Revoked::Block { subject, .. } = &revocation.what {
                let is_before = |kept: &Numbered| matches!(&kept.revocation.what, Revoked::Block { subject: other, .. } if other == subject);
                state.revocations.retain(|kept| !is_before(kept));
            }
            if has_room {
                state.revoke(revocation.clone());
            }
            has_room
        })
    }

    async fn since(&self, after: u64, limit: u32) -> Result<Vec<Numbered>, StoreError> {
        self.with(|state| {
            let new = state.revocations.iter().filter(|kept| kept.number > after);
            new.take(limit as usize).cloned().collect()
        })
    }
}
