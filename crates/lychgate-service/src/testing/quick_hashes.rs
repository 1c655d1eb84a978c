//! Password functions that cost nothing and remember what they were asked.

use std::hash::{DefaultHasher, Hash, Hasher};

use parking_lot::Mutex;

use crate::accounts::HashFunctions;
use crate::ports::users::{HashKind, PasswordHash};

/// Password functions for tests. They take no time, so they protect nothing.
#[derive(Default)]
pub struct QuickHashes {
    log: Mutex<Vec<HashWork>>,
    before_verify: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

/// A computation that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HashWork {
    /// A new hash was made.
    Hash,
    /// A hash of this kind was verified.
    Verify(HashKind),
    /// A verification of this kind was imitated.
    Imitate(HashKind),
}

impl QuickHashes {
    /// A hash of this kind that [`QuickHashes`] alone verifies.
    ///
    /// # Panics
    ///
    /// Panics when `kind` is unsupported or beyond the limits.
    pub fn hash_as(kind: HashKind, password: &str) -> PasswordHash {
        let digest = digest(password);
        let text = match kind {
            HashKind::Argon2id { memory_kib, passes, lanes } => {
                format!("$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${}${digest}", "A".repeat(22))
            }
            HashKind::Bcrypt { cost } => format!("$2b${cost:02}${}{digest}", "A".repeat(21)),
            HashKind::Unsupported => panic!("nothing verifies an unsupported hash"),
        };
        let hash = PasswordHash::new(text);
        assert_eq!(hash.kind(), kind, "the kind is within the limits");
        hash
    }

    /// What was asked since the last call, in order.
    pub fn take_log(&self) -> Vec<HashWork> {
        std::mem::take(&mut *self.log.lock())
    }

    /// Runs `event` in the middle of the next verification: after the user was read, before the answer is known.
    pub fn before_next_verify(&self, event: impl FnOnce() + Send + 'static) {
        *self.before_verify.lock() = Some(Box::new(event));
    }
}

impl HashFunctions for QuickHashes {
    fn hash(&self, password: &str) -> PasswordHash {
        self.log.lock().push(HashWork::Hash);
        Self::hash_as(HashKind::POLICY, password)
    }

    fn verify(&self, password: &str, hash: &PasswordHash) -> bool {
        self.log.lock().push(HashWork::Verify(hash.kind()));
        let event = self.before_verify.lock().take();
        if let Some(event) = event {
            event();
        }
        hash.kind() != HashKind::Unsupported && hash.expose().ends_with(&digest(password))
    }

    fn imitate(&self, _password: &str, kind: HashKind) {
        self.log.lock().push(HashWork::Imitate(kind));
    }
}

/// 32 characters of the alphabet that both formats share.
fn digest(password: &str) -> String {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, password).hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    };
    half(0) + &half(1)
}
