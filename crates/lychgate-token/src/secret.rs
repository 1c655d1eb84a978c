//! How strong a shared secret must be (RFC 7518 section 3.2).
//!
//! A secret that stands in a manual, a sample file or a tutorial is no secret: scanners try them all.
//! This module knows the ones that programs of our field have published, and shapes that nobody draws at random.
//!
//! **Absent on purpose:** an estimate of entropy. It would refuse good passphrases and pass bad ones; what a machine
//! drew passes here, and what is known is refused.

/// The least length of a shared secret, in bytes (RFC 7518 section 3.2, for SHA-256).
pub const SECRET_BYTES_MIN: usize = 32;

/// A unit of at most this many bytes that only repeats makes no secret, however often it does.
const PERIOD_BYTES_MAX: usize = 16;

/// Tells whether `secret` may protect tokens.
///
/// White space around a text does not count towards its length, and neither it nor case hides a known text.
///
/// # Errors
///
/// The first weakness found: blank, known, short.
pub fn strength(secret: &[u8]) -> Result<(), WeakSecret> {
    let bare = match std::str::from_utf8(secret) {
        Ok(text) => text.trim().as_bytes(),
        // Drawn bytes may begin or end with what would be white space in a text.
        Err(_) => secret,
    };
    if bare.is_empty() {
        return Err(WeakSecret::Blank);
    }
    if is_well_known(bare) || is_repetition(bare) {
        return Err(WeakSecret::WellKnown);
    }
    if bare.len() < SECRET_BYTES_MIN {
        return Err(WeakSecret::Short { bytes: bare.len() });
    }
    Ok(())
}

/// Why a shared secret protects nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakSecret {
    /// There is nothing but white space.
    #[error("the secret is blank")]
    Blank,
    /// There are fewer than [`SECRET_BYTES_MIN`] bytes.
    #[error("the secret has {bytes} bytes, {SECRET_BYTES_MIN} are the least")]
    Short {
        /// How many there are, white space around them left out.
        bytes: usize,
    },
    /// The secret is printed in public, or is a short pattern repeated.
    #[error("the secret is a published default or a repeated pattern; draw one of your own, e.g. openssl rand -hex 32")]
    WellKnown,
}

fn is_well_known(bare: &[u8]) -> bool {
    // A quote mark that a settings file left around a default does not make it better.
    let unquoted = bare.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    let unquoted = unquoted.or_else(|| bare.strip_prefix(b"'").and_then(|rest| rest.strip_suffix(b"'")));
    let text = unquoted.unwrap_or(bare).trim_ascii();
    PUBLISHED.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(text))
}

fn is_repetition(bare: &[u8]) -> bool {
    bare.len() >= SECRET_BYTES_MIN
        && (1..=PERIOD_BYTES_MAX).any(|period| bare.iter().zip(&bare[period..]).all(|(a, b)| a == b))
}

/// Secrets that are printed in the documentation, sample settings or source of programs that sign tokens.
const PUBLISHED: &[&str] = &[
    // Chat, journal and assistant backends.
    "your-secret-key-change-in-production",
    "your-secret-key-here",
    "your_secret_key_here",
    "your-secret-key",
    "change_me",
    "changeme",
    "change-me",
    "development_secret_key_for_jwt_do_not_use_in_production",
    "None",
    "null",
    "undefined",
    "secret",
    "password",
    "admin123",
    "supersecret",
    "super-secret",
    "my_secret_key",
    "my-secret-key",
    "jwt-secret",
    "jwt_secret",
    "jwt_secret_key",
    "development",
    "dev-secret",
    "test-secret",
    "insecure",
    // jwt.io, now and before.
    "a-string-secret-at-least-256-bits-long",
    "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
    "your-256-bit-secret",
    "your-384-bit-secret",
    "your-512-bit-secret",
    // The FastAPI tutorial.
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    // Supabase, PostgREST, Mercure.
    "super-secret-jwt-token-with-at-least-32-characters-long",
    "your-super-secret-jwt-token-with-at-least-32-characters-long",
    "reallyreallyreallyreallyverysafe",
    "!ChangeThisMercureHubJWTSecretKey!",
    "!ChangeMe!",
    // RFC 7515 appendix A.1.
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    // What is typed when something long is asked for.
    "abcdefghijklmnopqrstuvwxyz123456",
    "abcdefghijklmnopqrstuvwxyz012345",
    "abcdefghijklmnopqrstuvwxyz0123456789",
    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz",
    "01234567890123456789012345678901",
    "12345678901234567890123456789012",
    "1234567890abcdefghijklmnopqrstuvwxyz",
    "this-is-a-very-long-secret-key-for-jwt",
    "your-very-long-secret-key-at-least-32-characters",
    "your-super-secret-key-change-this-in-production",
    "your-super-secret-jwt-key-change-in-production",
    "your-super-secret-jwt-key-change-this-in-production",
    "your-jwt-secret-key-change-in-production",
    "your-secret-key-change-this-in-production",
    "your-secret-key-here-change-in-production",
    "your-secret-key-min-32-characters-long",
];

#[cfg(test)]
mod tests {
    use super::{WeakSecret, strength};

    #[test]
    fn what_is_published_is_refused_in_any_dress() {
        for known in [
            "your-secret-key-change-in-production",
            "  Your-Secret-Key-Change-In-Production\n",
            "\"your-secret-key-change-in-production\"",
            "development_secret_key_for_jwt_do_not_use_in_production",
            "change_me",
            "your-secret-key-here",
            "09D25E094FAA6CA2556C818166B7A9563B93F7099F6F0F4CAA6CF63B88E8D3E7",
        ] {
            assert_eq!(strength(known.as_bytes()), Err(WeakSecret::WellKnown), "{known}");
        }
    }

    #[test]
    fn blank_short_and_repeated_are_refused() {
        assert_eq!(strength(b""), Err(WeakSecret::Blank));
        assert_eq!(strength(b" \t\r\n                                   "), Err(WeakSecret::Blank));
        assert_eq!(strength(b"9f3c1b7a5d2e8f604b1c7d9e3a5f2b8"), Err(WeakSecret::Short { bytes: 31 }));
        assert_eq!(strength(b"9f3c1b7a5d2e8f604b1c7d9e3a5f2b8       "), Err(WeakSecret::Short { bytes: 31 }));
        assert_eq!(strength(&[0; 64]), Err(WeakSecret::WellKnown));
        assert_eq!(strength("a".repeat(32).as_bytes()), Err(WeakSecret::WellKnown));
        assert_eq!(strength("changeme".repeat(5).as_bytes()), Err(WeakSecret::WellKnown));
    }

    #[test]
    fn drawn_secrets_pass() {
        assert_eq!(strength(b"9f3c1b7a5d2e8f604b1c7d9e3a5f2b80"), Ok(()));
        assert_eq!(strength(b"four words that nobody else has put together"), Ok(()));
        let mut drawn = *b"\x20\x93\xfe\x01\x42\x77\xc3\x55\x81\x9a\xab\x0d\xee\x13\x37\x66........\xfd.,-;:_\x0a";
        drawn[16..24].copy_from_slice(b"\xd1\x03\x5c\xb8\x29\xf0\x6e\x94");
        assert_eq!(drawn.len(), 32);
        assert_eq!(strength(&drawn), Ok(()));
    }
}
