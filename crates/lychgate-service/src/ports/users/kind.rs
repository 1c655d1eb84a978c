//! How a password hash was made, read off its text.
//!
//! **Invariant:** a kind that is not [`HashKind::Unsupported`] costs at most the limits below,
//! so that no stored row, wherever it came from, can stall the server by being verified.

use std::fmt;
use std::str::FromStr;

use argon2::password_hash::phc;

/// The highest bcrypt cost that is verified; one more doubles the time.
pub const BCRYPT_COST_MAX: u32 = 14;
/// The most memory that an argon2id hash may ask for.
pub const ARGON2_MEMORY_KIB_MAX: u32 = 256 * 1024;
/// The most passes that an argon2id hash may ask for.
pub const ARGON2_PASSES_MAX: u32 = 10;
/// The most lanes that an argon2id hash may ask for.
pub const ARGON2_LANES_MAX: u32 = 16;

/// The function and the parameters of a password hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashKind {
    /// Argon2id, version 19 (RFC 9106).
    Argon2id {
        /// Memory, in KiB.
        memory_kib: u32,
        /// Passes over the memory.
        passes: u32,
        /// Lanes.
        lanes: u32,
    },
    /// Bcrypt with one of the prefixes `$2a$`, `$2b$`, `$2y$`.
    Bcrypt {
        /// The binary logarithm of the number of rounds.
        cost: u32,
    },
    /// Anything else: it verifies nothing.
    Unsupported,
}

impl HashKind {
    /// What new hashes are made with (OWASP's first recommendation).
    pub const POLICY: Self = Self::Argon2id { memory_kib: 19_456, passes: 2, lanes: 1 };

    /// Reads the kind off a hash.
    pub fn of(hash: &str) -> Self {
        bcrypt(hash).or_else(|| argon2id(hash)).unwrap_or(Self::Unsupported)
    }

    /// What one verification costs, in units of about one verification of [`HashKind::POLICY`].
    ///
    /// It is an estimate for limits alone: bcrypt's share was measured once, at cost 12 being worth eight units.
    pub fn work(self) -> u64 {
        match self {
            Self::Argon2id { memory_kib, passes, .. } => {
                (u64::from(memory_kib) * u64::from(passes)).div_ceil(2 * 19_456)
            }
            Self::Bcrypt { cost } => (1u64 << cost.min(BCRYPT_COST_MAX)).div_ceil(512),
            Self::Unsupported => 0,
        }
    }
}

impl fmt::Display for HashKind {
    /// The label that a store keeps beside the hash.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argon2id { memory_kib, passes, lanes } => write!(f, "argon2id m={memory_kib},t={passes},p={lanes}"),
            Self::Bcrypt { cost } => write!(f, "bcrypt {cost}"),
            Self::Unsupported => f.write_str("unsupported"),
        }
    }
}

impl FromStr for HashKind {
    type Err = NotAHashKind;

    fn from_str(label: &str) -> Result<Self, NotAHashKind> {
        if label == "unsupported" {
            return Ok(Self::Unsupported);
        }
        let kind = match label.split_once(' ').ok_or(NotAHashKind)? {
            ("bcrypt", cost) => Self::Bcrypt { cost: number(cost).ok_or(NotAHashKind)? },
            ("argon2id", parameters) => parameters_of(parameters).ok_or(NotAHashKind)?,
            _ => return Err(NotAHashKind),
        };
        if kind.is_within_limits() { Ok(kind) } else { Err(NotAHashKind) }
    }
}

/// The label names no kind of hash within the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the label of a password hash")]
pub struct NotAHashKind;

impl HashKind {
    fn is_within_limits(self) -> bool {
        match self {
            Self::Argon2id { memory_kib, passes, lanes } => {
                (1..=ARGON2_LANES_MAX).contains(&lanes)
                    && (8 * lanes..=ARGON2_MEMORY_KIB_MAX).contains(&memory_kib)
                    && (1..=ARGON2_PASSES_MAX).contains(&passes)
            }
            Self::Bcrypt { cost } => (4..=BCRYPT_COST_MAX).contains(&cost),
            Self::Unsupported => true,
        }
    }
}

/// `$2b$12$` and 53 characters of salt and hash.
fn bcrypt(hash: &str) -> Option<HashKind> {
    let rest = ["$2a$", "$2b$", "$2y$"].iter().find_map(|prefix| hash.strip_prefix(prefix))?;
    let (cost, salt_and_hash) = rest.split_once('$')?;
    let well_formed = cost.len() == 2
        && cost.bytes().all(|b| b.is_ascii_digit())
        && salt_and_hash.len() == 53
        && salt_and_hash.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'/');
    let kind = HashKind::Bcrypt { cost: cost.parse().ok()? };
    (well_formed && kind.is_within_limits()).then_some(kind)
}

/// `$argon2id$v=19$m=…,t=…,p=…$salt$hash`, both in base64 without padding: 8 to 64 and 16 to 64 bytes.
fn argon2id(hash: &str) -> Option<HashKind> {
    let (parameters, salt_and_hash) = hash.strip_prefix("$argon2id$v=19$")?.split_once('$')?;
    let (salt, output) = salt_and_hash.split_once('$')?;
    let is_sized = (11..=86).contains(&salt.len()) && (22..=86).contains(&output.len());
    let kind = parameters_of(parameters)?;
    // Asked last: what it cannot read it cannot verify either.
    (is_sized && kind.is_within_limits() && phc::PasswordHash::new(hash).is_ok()).then_some(kind)
}

fn parameters_of(text: &str) -> Option<HashKind> {
    let mut parts = text.split(',');
    let memory_kib = number(parts.next()?.strip_prefix("m=")?)?;
    let passes = number(parts.next()?.strip_prefix("t=")?)?;
    let lanes = number(parts.next()?.strip_prefix("p=")?)?;
    parts.next().is_none().then_some(HashKind::Argon2id { memory_kib, passes, lanes })
}

/// A decimal number in its one canonical spelling.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|value: &u32| value.to_string() == text)
}
