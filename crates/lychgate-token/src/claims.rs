//! The typed reading of a verified token's claims (RFC 7519 section 4.1).
//!
//! **Invariant:** each registered claim is either absent or of its one type and within range; a claim of the wrong
//! type is refused and never skipped.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Number, Value};

use crate::UnixSeconds;
use crate::profile::{IssuerProfile, ProfileKind};
use crate::refusal::{PayloadFault, Refusal};
use crate::text::is_name;

/// The most entries of an `aud` list.
const AUDIENCES_MAX: usize = 16;

/// Numbers from here on are not exact in a double, so two readers might see two times.
pub(crate) const UNIX_SECONDS_END: u64 = 1 << 53;

/// What a verified token says.
///
/// `Debug` leaves [`extra`](Self::extra) out: its content is the application's and may be private.
#[derive(Clone, PartialEq)]
pub struct Claims {
    /// Whom the token is about: 1 to 255 bytes without control or format characters.
    pub sub: String,
    /// When it expires; absent only for the one token that its profile exempts.
    pub exp: Option<UnixSeconds>,
    /// When it was issued.
    pub iat: Option<UnixSeconds>,
    /// When it begins to be valid.
    pub nbf: Option<UnixSeconds>,
    /// Who issued it; if present, it is the profile's own issuer.
    pub iss: Option<String>,
    /// Whom it is meant for, at most 16; if not empty, the profile's own audience is among them.
    pub aud: Vec<String>,
    /// The token's own id.
    pub jti: Option<String>,
    /// The session it belongs to.
    pub sid: Option<String>,
    /// The name of the profile whose key verified it.
    pub issuer_profile: Arc<str>,
    /// All other claims, as the issuer wrote them.
    pub extra: Map<String, Value>,
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims")
            .field("sub", &self.sub)
            .field("exp", &self.exp)
            .field("jti", &self.jti)
            .field("sid", &self.sid)
            .field("issuer_profile", &self.issuer_profile)
            .finish_non_exhaustive()
    }
}

/// The claims whose meaning RFC 7519 or this crate fixes; nobody else may write them.
pub(crate) const REGISTERED: [&str; 8] = ["sub", "exp", "iat", "nbf", "iss", "aud", "jti", "sid"];

/// Whether a claim has a meaning that is fixed, so that no application may write it.
#[must_use]
pub fn is_registered_claim(name: &str) -> bool {
    REGISTERED.contains(&name)
}

/// Whether a text can be whom a token is about: 1 to 255 bytes without control or format characters.
#[must_use]
pub fn is_subject(text: &str) -> bool {
    is_name(text)
}

/// Checks the claims of a token whose signature a key of `profile` has verified.
///
/// The order is: is it ours (`typ`, `iss`, `aud`), is it now (`exp`, `nbf`, `iat`), and who is it.
///
/// # Errors
///
/// The first rule that the claims break.
pub(crate) fn check(
    profile: &IssuerProfile,
    profile_name: &Arc<str>,
    typ: Option<&str>,
    mut claims: Map<String, Value>,
    now: UnixSeconds,
) -> Result<Claims, Refusal> {
    check_type(profile.kind, typ)?;
    let own = profile.kind == ProfileKind::Own;
    let may_lack = |own_name: &Option<String>| match profile.kind {
        ProfileKind::Own => false,
        ProfileKind::Legacy => true,
        ProfileKind::Named => own_name.is_none(),
    };

    let iss = text(&mut claims, "iss")?;
    match (&iss, &profile.issuer) {
        (Some(iss), Some(issuer)) if iss == issuer => {}
        (None, own_name) if may_lack(own_name) => {}
        _ => return Err(Refusal::WrongIssuer),
    }
    let aud = audiences(&mut claims)?;
    match (&aud, &profile.audience) {
        (Some(aud), Some(audience)) if aud.contains(audience) => {}
        (None, own_name) if may_lack(own_name) => {}
        _ => return Err(Refusal::WrongAudience),
    }

    let exp = seconds(&mut claims, "exp")?;
    let nbf = seconds(&mut claims, "nbf")?;
    let iat = seconds(&mut claims, "iat")?;
    let jti = name(&mut claims, "jti")?;
    check_times(profile, Times { exp, nbf, iat }, jti.as_deref(), now)?;

    let sub = name(&mut claims, "sub")?.ok_or(PayloadFault::ClaimMissing("sub"))?;
    let sid = name(&mut claims, "sid")?;
    if own {
        for (claim, present) in [("iat", iat.is_some()), ("jti", jti.is_some()), ("sid", sid.is_some())] {
            if !present {
                return Err(PayloadFault::ClaimMissing(claim).into());
            }
        }
    }
    let issuer_profile = Arc::clone(profile_name);
    Ok(Claims { sub, exp, iat, nbf, iss, aud: aud.unwrap_or_default(), jti, sid, issuer_profile, extra: claims })
}

fn check_type(kind: ProfileKind, typ: Option<&str>) -> Result<(), PayloadFault> {
    // Media types are compared without case (RFC 7515 section 4.1.9, RFC 9068 section 4).
    let fits = match (kind, typ) {
        (ProfileKind::Own, Some(typ)) => {
            typ.eq_ignore_ascii_case("at+jwt") || typ.eq_ignore_ascii_case("application/at+jwt")
        }
        (ProfileKind::Own, None) => false,
        (ProfileKind::Legacy | ProfileKind::Named, Some(typ)) => typ.eq_ignore_ascii_case("JWT"),
        (ProfileKind::Legacy | ProfileKind::Named, None) => true,
    };
    if fits { Ok(()) } else { Err(PayloadFault::TokenType) }
}

#[derive(Clone, Copy)]
struct Times {
    exp: Option<UnixSeconds>,
    nbf: Option<UnixSeconds>,
    iat: Option<UnixSeconds>,
}

fn check_times(profile: &IssuerProfile, times: Times, jti: Option<&str>, now: UnixSeconds) -> Result<(), Refusal> {
    let leeway_s = profile.leeway_s;
    match times.exp {
        Some(exp) if now >= exp + leeway_s => return Err(Refusal::Expired { exp, now }),
        Some(_) => {}
        None if jti.is_some() && jti == profile.exempt_jti.as_deref() => {}
        None => return Err(PayloadFault::ClaimMissing("exp").into()),
    }
    if let Some(from) = times.nbf.max(times.iat)
        && now.saturating_add(leeway_s) < from
    {
        return Err(Refusal::NotYetValid { from, now });
    }
    if let (Some(exp), Some(lifetime_s_max)) = (times.exp, profile.lifetime_s_max) {
        // Without `iat` the token is at least as old as this moment, so what is left bounds it from below.
        let begin = times.iat.unwrap_or(now.saturating_add(leeway_s));
        if exp.saturating_sub(begin) > lifetime_s_max {
            return Err(PayloadFault::Lifetime.into());
        }
    }
    Ok(())
}

fn text(claims: &mut Map<String, Value>, claim: &'static str) -> Result<Option<String>, PayloadFault> {
    match claims.remove(claim) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(PayloadFault::ClaimShape(claim)),
    }
}

fn name(claims: &mut Map<String, Value>, claim: &'static str) -> Result<Option<String>, PayloadFault> {
    match text(claims, claim)? {
        Some(text) if !is_name(&text) => Err(PayloadFault::ClaimShape(claim)),
        other => Ok(other),
    }
}

/// A string, or a list of at most [`AUDIENCES_MAX`] strings (RFC 7519 section 4.1.3).
fn audiences(claims: &mut Map<String, Value>) -> Result<Option<Vec<String>>, PayloadFault> {
    let fault = PayloadFault::ClaimShape("aud");
    match claims.remove("aud") {
        None => Ok(None),
        Some(Value::String(one)) => Ok(Some(vec![one])),
        Some(Value::Array(list)) if list.len() <= AUDIENCES_MAX => {
            let texts = list.into_iter().map(|entry| match entry {
                Value::String(text) => Ok(text),
                _ => Err(fault),
            });
            texts.collect::<Result<_, _>>().map(Some)
        }
        Some(_) => Err(fault),
    }
}

fn seconds(claims: &mut Map<String, Value>, claim: &'static str) -> Result<Option<UnixSeconds>, PayloadFault> {
    match claims.remove(claim) {
        None => Ok(None),
        Some(Value::Number(number)) => whole_seconds(&number).map(Some).ok_or(PayloadFault::ClaimShape(claim)),
        Some(_) => Err(PayloadFault::ClaimShape(claim)),
    }
}

/// A number from 0 up to 2^53, its fraction cut off (a `NumericDate` may have one, RFC 7519 section 2).
fn whole_seconds(number: &Number) -> Option<UnixSeconds> {
    if let Some(whole) = number.as_u64() {
        return (whole < UNIX_SECONDS_END).then_some(whole);
    }
    let value = number.as_f64()?;
    // In this range the conversion is exact, and for what is not negative it rounds down.
    (value >= 0.0 && value < UNIX_SECONDS_END as f64).then_some(value as UnixSeconds)
}
