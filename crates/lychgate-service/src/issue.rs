//! A token for somebody who has proved who they are.

use std::sync::Arc;

use lychgate_token::{MintFault, Minter, NewClaims, Token};
use uuid::Uuid;

use crate::ports::clock::Clock;
use crate::ports::users::User;

/// Mints this server's own tokens.
pub struct Issuer {
    minter: Minter,
    lifetime_s: u64,
    clock: Arc<dyn Clock>,
}

/// A fresh token.
#[derive(Debug)]
pub struct Issued {
    /// The token itself.
    pub token: Token,
    /// How long it is good for, in seconds.
    pub expires_in_s: u64,
}

impl Issuer {
    /// An issuer whose tokens live for `lifetime_s` seconds.
    ///
    /// The same figure is the token's `exp`, the answer's `expires_in` and, through `exp`, the end of the socket.
    #[must_use]
    pub const fn new(minter: Minter, lifetime_s: u64, clock: Arc<dyn Clock>) -> Self {
        Self { minter, lifetime_s, clock }
    }

    /// A token for `user`, whose name becomes `sub`, with a session and a token id of its own.
    ///
    /// # Errors
    ///
    /// [`MintFault`] when the key cannot sign, which a start-up check rules out.
    pub fn issue(&self, user: &User) -> Result<Issued, MintFault> {
        let sid = Uuid::new_v4().simple().to_string();
        let jti = Uuid::new_v4().simple().to_string();
        let claims = NewClaims { lifetime_s: Some(self.lifetime_s), ..NewClaims::session(&user.name, &sid, &jti) };
        let token = self.minter.mint(&claims, self.clock.now().seconds())?;
        Ok(Issued { token, expires_in_s: self.lifetime_s })
    }
}
