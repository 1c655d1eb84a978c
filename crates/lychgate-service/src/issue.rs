//! A token for somebody who has proved who they are.

use std::sync::Arc;

use lychgate_token::{MintFault, Minter, NewClaims, Token};
use uuid::Uuid;

use crate::accounts::AccountField;
use crate::ports::clock::Clock;
use crate::ports::users::User;

/// Mints this server's own tokens.
pub struct Issuer {
    minter: Minter,
    shape: TokenShape,
    lifetime_s: u64,
    clock: Arc<dyn Clock>,
}

/// What our tokens say of their users.
#[derive(Clone, Debug, Default)]
pub struct TokenShape {
    /// What becomes `sub`.
    pub subject: Subject,
    /// Further claims, each under its field's name; a claim of which the account has nothing is left out.
    pub claims: Vec<AccountField>,
}

/// What of an account becomes `sub`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Subject {
    /// The name.
    #[default]
    Name,
    /// The id, as text.
    Id,
    /// The e-mail address as it was given.
    Email,
}

/// A fresh token.
#[derive(Debug)]
pub struct Issued {
    /// The token itself.
    pub token: Token,
    /// How long it is good for, in seconds.
    pub expires_in_s: u64,
}

/// Why somebody got no token.
#[derive(Debug, thiserror::Error)]
pub enum IssueRefused {
    /// Tokens name their users by e-mail address, and this account has none.
    #[error("tokens carry the e-mail address as their subject, and this account has none")]
    NoEmail,
    /// The token could not be made.
    #[error(transparent)]
    Mint(#[from] MintFault),
}

impl Issuer {
    /// An issuer whose tokens look like `shape` and live for `lifetime_s` seconds.
    ///
    /// The same figure is the token's `exp`, the answer's `expires_in` and, through `exp`, the end of the socket.
    #[must_use]
    pub const fn new(minter: Minter, shape: TokenShape, lifetime_s: u64, clock: Arc<dyn Clock>) -> Self {
        Self { minter, shape, lifetime_s, clock }
    }

    /// A token for `user`, with a session and a token id of its own.
    ///
    /// # Errors
    ///
    /// See [`IssueRefused`]. A key that cannot sign is ruled out by a start-up check;
    /// what is left of [`IssueRefused::Mint`] is an account with more in its claims than a token may hold.
    pub fn issue(&self, user: &User) -> Result<Issued, IssueRefused> {
        let claims = NewClaims { lifetime_s: Some(self.lifetime_s), ..self.shape.claims_of(user)? };
        let token = self.minter.mint(&claims, self.clock.now().seconds())?;
        Ok(Issued { token, expires_in_s: self.lifetime_s })
    }
}

impl Issuer {
    /// A token for `user` in a session that is there already, and that ends at `ends_at_s`, in Unix seconds.
    ///
    /// # Errors
    ///
    /// As [`issue`](Self::issue).
    pub fn issue_in(&self, user: &User, sid: &str, ends_at_s: u64) -> Result<Issued, IssueRefused> {
        let now_s = self.clock.now().seconds();
        // What goes on without its session would be nobody's to end.
        let expires_in_s = self.lifetime_s.min(ends_at_s.saturating_sub(now_s)).max(1);
        let claims = self.shape.claims_of(user)?;
        let claims = NewClaims { lifetime_s: Some(expires_in_s), sid: Some(sid.to_owned()), ..claims };
        Ok(Issued { token: self.minter.mint(&claims, now_s)?, expires_in_s })
    }

    /// Now, by the clock that tokens are issued by, in Unix seconds.
    #[must_use]
    pub fn now_s(&self) -> u64 {
        self.clock.now().seconds()
    }

    /// How tokens name `user`; they do not, where they go by an address and the account has none.
    #[must_use]
    pub fn subject_of(&self, user: &User) -> Option<String> {
        self.shape.subject_of(user)
    }
}

impl TokenShape {
    /// How tokens name `user`; they do not, where they go by an address and the account has none.
    #[must_use]
    pub fn subject_of(&self, user: &User) -> Option<String> {
        match self.subject {
            Subject::Name => Some(user.name.clone()),
            Subject::Id => Some(user.id.to_string()),
            Subject::Email => user.email.clone(),
        }
    }

    /// What a token of `user` says, in a session of its own; the lifetime is still to be set.
    ///
    /// # Errors
    ///
    /// [`IssueRefused::NoEmail`].
    pub fn claims_of(&self, user: &User) -> Result<NewClaims, IssueRefused> {
        let subject = self.subject_of(user).ok_or(IssueRefused::NoEmail)?;
        let claims = self.claims.iter().map(|field| (field.name().to_owned(), field.value(user)));
        let extra = claims.filter(|(_, value)| !value.is_null()).collect();
        let (sid, jti) = (Uuid::new_v4().simple().to_string(), Uuid::new_v4().simple().to_string());
        Ok(NewClaims { extra, ..NewClaims::session(&subject, &sid, &jti) })
    }
}
