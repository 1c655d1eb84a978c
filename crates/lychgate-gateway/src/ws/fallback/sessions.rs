//! Which connection a request means: by a secret that its client was told, and nobody else.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use hashbrown::HashMap;
use parking_lot::Mutex;

use crate::ws::socket::Socket;

/// 128 random bits: whoever knows them speaks for the connection. They print as nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionKey(u128);

impl SessionKey {
    /// A fresh one.
    #[must_use]
    pub fn fresh() -> Self {
        Self(rand::random())
    }

    /// As the client is told it.
    #[must_use]
    pub fn expose(self) -> String {
        format!("{:032x}", self.0)
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(…)")
    }
}

/// It is no key of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoKey;

impl FromStr for SessionKey {
    type Err = NoKey;

    fn from_str(text: &str) -> Result<Self, NoKey> {
        let is_ours = text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        is_ours.then(|| u128::from_str_radix(text, 16).ok()).flatten().map(Self).ok_or(NoKey)
    }
}

/// All such connections.
#[derive(Default)]
pub struct Sessions(Mutex<HashMap<SessionKey, Arc<Socket>>>);

/// A place among them; the session is forgotten when this goes.
pub struct SessionPlace {
    sessions: Arc<Sessions>,
    key: SessionKey,
}

impl Sessions {
    /// Lists a connection under its key, for as long as the answer lives.
    #[must_use]
    pub fn enter(self: &Arc<Self>, key: SessionKey, socket: &Arc<Socket>) -> SessionPlace {
        self.0.lock().insert(key, Arc::clone(socket));
        SessionPlace { sessions: Arc::clone(self), key }
    }

    /// The connection that is meant.
    #[must_use]
    pub fn find(&self, key: SessionKey) -> Option<Arc<Socket>> {
        self.0.lock().get(&key).cloned()
    }
}

impl Drop for SessionPlace {
    fn drop(&mut self) {
        let socket = self.sessions.0.lock().remove(&self.key);
        drop(socket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_told_and_printed_nowhere() {
        let key = SessionKey::fresh();
        assert_eq!(key.expose().parse(), Ok(key));
        assert_eq!(format!("{key:?}"), "SessionKey(…)");
        assert_ne!(key, SessionKey::fresh());
        let told = SessionKey(10).expose();
        assert_eq!(told.parse(), Ok(SessionKey(10)));
        for other in ["", "a", &told.to_uppercase(), &format!("0{told}"), &format!("+{}", &told[1..])] {
            assert_eq!(other.parse::<SessionKey>(), Err(NoKey), "{other}");
        }
    }
}
