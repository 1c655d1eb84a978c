//! The three computations that passwords need, and the crates that do them.
//!
//! **Invariant:** each of them blocks the thread for as long as its [`HashKind`] costs,
//! so [`Hashing`](super::Hashing) alone calls them.

use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Params, PasswordVerifier, Version};

use crate::ports::users::{HashKind, PasswordHash};

/// What can be computed about a password; a test puts a counter here.
pub trait HashFunctions: Send + Sync {
    /// A new hash of [`HashKind::POLICY`] with a salt of its own.
    fn hash(&self, password: &str) -> PasswordHash;

    /// Whether `password` is what `hash` was made from; never for [`HashKind::Unsupported`].
    fn verify(&self, password: &str, hash: &PasswordHash) -> bool;

    /// Does the work of verifying a hash of `kind` that is not there.
    fn imitate(&self, password: &str, kind: HashKind);
}

/// Argon2id and bcrypt.
#[derive(Debug, Clone, Copy, Default)]
pub struct StandardHashes;

/// The salt of work that is thrown away.
const IMITATION_SALT: [u8; 16] = *b"lychgate imitate";

impl HashFunctions for StandardHashes {
    fn hash(&self, password: &str) -> PasswordHash {
        let salt: [u8; 16] = rand::random();
        let hash =
            argon2::PasswordHasher::hash_password_with_salt(&argon2(HashKind::POLICY), password.as_bytes(), &salt)
                .expect("the policy's parameters and a salt of 16 bytes are within argon2's limits");
        PasswordHash::new(hash.to_string())
    }

    fn verify(&self, password: &str, hash: &PasswordHash) -> bool {
        match hash.kind() {
            HashKind::Argon2id { .. } => phc::PasswordHash::new(hash.expose())
                .is_ok_and(|parsed| Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok()),
            // Bcrypt has read no more than 72 bytes of a password ever since; what was set that way must go on to log in.
            HashKind::Bcrypt { .. } => bcrypt::verify(password, &canonical_bcrypt(hash.expose())).unwrap_or(false),
            HashKind::Unsupported => false,
        }
    }

    fn imitate(&self, password: &str, kind: HashKind) {
        match kind {
            HashKind::Argon2id { .. } => {
                let mut output = [0; 32];
                // A failure would mean parameters that `HashKind` refuses; there is nothing to verify then either.
                let _ = argon2(kind).hash_password_into(password.as_bytes(), &IMITATION_SALT, &mut output);
                std::hint::black_box(output);
            }
            HashKind::Bcrypt { cost } => {
                let _ = std::hint::black_box(bcrypt::hash_with_salt_bytes(password, cost, IMITATION_SALT));
            }
            HashKind::Unsupported => {}
        }
    }
}

fn argon2(kind: HashKind) -> Argon2<'static> {
    let params = match kind {
        HashKind::Argon2id { memory_kib, passes, lanes } => Params::new(memory_kib, passes, lanes, None).ok(),
        HashKind::Bcrypt { .. } | HashKind::Unsupported => None,
    };
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.unwrap_or_default())
}

/// The hash with the bits set to zero that its base64 has beyond 16 bytes of salt and 23 of hash.
///
/// Some libraries have left chance in them, and the one here refuses what is not zero.
fn canonical_bcrypt(hash: &str) -> String {
    const ALPHABET: &[u8; 64] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let last_of_salt = "$2b$12$".len() + 21;
    let last_of_hash = hash.len().saturating_sub(1);
    let canonical = |(at, byte): (usize, u8)| {
        let mask = match at {
            at if at == last_of_salt => 0b11_0000,
            at if at == last_of_hash => 0b11_1100,
            _ => return char::from(byte),
        };
        let digit = ALPHABET.iter().position(|digit| *digit == byte).unwrap_or_default();
        char::from(ALPHABET[digit & mask])
    };
    hash.bytes().enumerate().map(canonical).collect()
}
