//! What a password must be when it is set.
//!
//! **Invariant:** every password that a rule lets pass is short enough to log in with.
//!
//! **Absent on purpose:** no rule about digits, capitals or signs, and no expiry (NIST SP 800-63B section 5.1.1.2 advises against both).

use std::sync::LazyLock;

use hashbrown::HashSet;

/// The fewest characters of a password.
pub const PASSWORD_CHARS_MIN: usize = 8;
/// The most characters of a password.
pub const PASSWORD_CHARS_MAX: usize = 256;
/// The most bytes of a password that is looked at, when it is set and when it is used.
pub const PASSWORD_BYTES_MAX: usize = 1024;
/// How many digits and signs after a barred word change nothing about it.
const TAIL_CHARS_MAX: usize = 4;

/// How strictly a new password is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PasswordRule {
    /// 8 to 256 characters, none of the common ones, not the account's own name or address.
    #[default]
    Standard,
    /// Anything that can be typed: for demonstration users and for passwords brought along from elsewhere.
    Relaxed,
}

/// Why a password was not taken. It never holds the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// There is nothing in it, or blanks alone.
    #[error("the password is blank")]
    Blank,
    /// It is too short.
    #[error("the password has {chars} characters where {PASSWORD_CHARS_MIN} are the least")]
    Short {
        /// Its length.
        chars: usize,
    },
    /// It is too long.
    #[error("the password is longer than {PASSWORD_CHARS_MAX} characters or {PASSWORD_BYTES_MAX} bytes")]
    Long,
    /// It holds a control character, which no keyboard types twice the same way.
    #[error("the password holds a control character")]
    ControlCharacter,
    /// Guessing starts with it.
    #[error("the password is one of the most common ones")]
    Common,
    /// It is the account's name or address.
    #[error("the password is the account's own name or e-mail address")]
    OwnName,
}

impl PasswordRule {
    /// Looks at `password`, which is to be that of an account called `own_names`.
    ///
    /// # Errors
    ///
    /// [`WeakPassword`] names the first rule that it breaks.
    pub fn check(self, password: &str, own_names: &[&str]) -> Result<(), WeakPassword> {
        if password.trim().is_empty() {
            return Err(WeakPassword::Blank);
        }
        let chars = password.chars().count();
        if chars > PASSWORD_CHARS_MAX || password.len() > PASSWORD_BYTES_MAX {
            return Err(WeakPassword::Long);
        }
        if password.contains(char::is_control) {
            return Err(WeakPassword::ControlCharacter);
        }
        if self == Self::Relaxed {
            return Ok(());
        }
        if chars < PASSWORD_CHARS_MIN {
            return Err(WeakPassword::Short { chars });
        }
        let folded = password.to_lowercase();
        if own_names.iter().any(|name| is_own_name(&folded, name)) {
            return Err(WeakPassword::OwnName);
        }
        if is_common(&folded) { Err(WeakPassword::Common) } else { Ok(()) }
    }
}

/// The words that, alone or with a short tail of digits and signs, make no password.
pub fn barred_stems() -> impl Iterator<Item = &'static str> {
    include_str!("barred_passwords.txt")
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

static BARRED: LazyLock<HashSet<&'static str>> = LazyLock::new(|| barred_stems().collect());

fn is_own_name(folded_password: &str, name: &str) -> bool {
    let name = name.to_lowercase();
    folded_password == name || name.split_once('@').is_some_and(|(local, _)| folded_password == local)
}

/// Whether the password, or what is left of it without up to four digits and signs at its end, is barred.
fn is_common(folded: &str) -> bool {
    let mut rest = folded;
    for _ in 0..=TAIL_CHARS_MAX {
        if BARRED.contains(rest) {
            return true;
        }
        match rest.strip_suffix(|c: char| c.is_ascii_digit() || c.is_ascii_punctuation()) {
            Some(shorter) => rest = shorter,
            None => break,
        }
    }
    is_one_character(folded)
}

fn is_one_character(text: &str) -> bool {
    let mut chars = text.chars();
    let first = chars.next();
    chars.all(|c| Some(c) == first)
}
