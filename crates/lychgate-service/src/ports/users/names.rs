//! What a user may be called.
//!
//! **Invariant:** a name can stand in the `sub` claim of a token and in a line of a log as it is:
//! 1 to 255 bytes, no control or format characters, no blank at either end.
//!
//! **Absent on purpose:** nothing is normalised.
//! Two spellings that Unicode holds equal are two names, because a name is compared byte for byte everywhere else, too.

use std::fmt;

/// The most bytes that a name may have.
pub const NAME_BYTES_MAX: usize = 255;
/// The most bytes that an e-mail address may have (RFC 5321 section 4.5.3.1.3 gives a path 256 with its brackets).
pub const EMAIL_BYTES_MAX: usize = 254;

/// The name of a user.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UserName(Box<str>);

impl UserName {
    /// Takes `text` as a name.
    ///
    /// # Errors
    ///
    /// [`NameFault`] says which rule the text breaks.
    pub fn new(text: &str) -> Result<Self, NameFault> {
        check(text, NAME_BYTES_MAX)?;
        Ok(Self(text.into()))
    }

    /// The name as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as it is compared with e-mail addresses.
    pub fn folded(&self) -> String {
        fold(&self.0)
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The e-mail address of a user.
///
/// Equality is that of the text as it was given; a store compares [`Email::folded`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Email(Box<str>);

impl Email {
    /// Takes `text` as an address: something, one `@`, something, and no blank anywhere.
    ///
    /// Whether mail arrives there, nobody can tell from the text, so nothing more is asked of it.
    ///
    /// # Errors
    ///
    /// [`NameFault`] says which rule the text breaks.
    pub fn new(text: &str) -> Result<Self, NameFault> {
        check(text, EMAIL_BYTES_MAX)?;
        let two_parts = text
            .split_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
        if two_parts && !text.contains(char::is_whitespace) {
            Ok(Self(text.into()))
        } else {
            Err(NameFault::NotAnAddress)
        }
    }

    /// The address as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address as it is compared.
    pub fn folded(&self) -> String {
        fold(&self.0)
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is no name or no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// There is nothing in it.
    #[error("it is blank")]
    Blank,
    /// It is too long.
    #[error("it has {bytes} bytes where {bytes_max} are the most")]
    Long {
        /// Its length.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// It starts or ends with a blank.
    #[error("it starts or ends with a blank")]
    BlankEdge,
    /// It holds a character that prints as nothing or that changes how its neighbours print.
    #[error("it holds the control or format character U+{0:04X}")]
    Unprintable(u32),
    /// It has not the form of an e-mail address.
    #[error("it is not of the form local@domain")]
    NotAnAddress,
}

/// Letter case taken away, as names and addresses are compared across the two columns.
pub fn fold(text: &str) -> String {
    text.to_lowercase()
}

fn check(text: &str, bytes_max: usize) -> Result<(), NameFault> {
    if text.trim().is_empty() {
        return Err(NameFault::Blank);
    }
    if text.len() > bytes_max {
        return Err(NameFault::Long { bytes: text.len(), bytes_max });
    }
    if let Some(bad) = text.chars().find(|c| is_unprintable(*c)) {
        return Err(NameFault::Unprintable(bad.into()));
    }
    if text.trim().len() != text.len() {
        return Err(NameFault::BlankEdge);
    }
    Ok(())
}

/// Unicode categories Cc, Cf, Zl and Zp: they forge log lines (CWE-117) and names that look like another's.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(u32::from(c),
            0xAD | 0x600..=0x605 | 0x61C | 0x6DD | 0x70F | 0x890..=0x891 | 0x8E2 | 0x180E
            | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F | 0xFEFF | 0xFFF9..=0xFFFB
            | 0x110BD | 0x110CD | 0x13430..=0x1343F | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A
            | 0xE0001 | 0xE0020..=0xE007F)
}
