//! The answer to a login that succeeded.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header;
use lychgate_service::accounts::AccountField;
use lychgate_service::issue::Issued;
use lychgate_service::ports::users::User;
use lychgate_service::session_office::{Granted as Session, RefreshToken};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::settings::LoginRoute;

/// The members in the order in which they are written.
#[derive(serde::Serialize)]
struct Answer<'a> {
    access_token: &'a str,
    token_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_expires_in: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<UserObject<'a>>,
}

/// The fields of an account in the order in which they were configured.
struct UserObject<'a> {
    fields: &'a [AccountField],
    user: &'a User,
}

impl Serialize for UserObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.fields.len()))?;
        for field in self.fields {
            map.serialize_entry(field.name(), &field.value(self.user))?;
        }
        map.end()
    }
}

/// The answer that begins or prolongs a session.
pub(super) fn of_session(session: &Session, route: &LoginRoute) -> Response {
    let refresh = (&session.refresh, session.refresh_expires_in_s);
    granted(&session.user, &session.issued, Some(refresh), route)
}

pub(super) fn granted(
    user: &User,
    issued: &Issued,
    refresh: Option<(&RefreshToken, u64)>,
    route: &LoginRoute,
) -> Response {
    let answer = Answer {
        access_token: issued.token.expose(),
        token_type: "bearer",
        expires_in: route.return_expires_in.then_some(issued.expires_in_s),
        refresh_token: refresh.map(|(token, _)| token.expose()),
        refresh_expires_in: refresh.map(|(_, expires_in_s)| expires_in_s),
        user: (!route.return_user.is_empty()).then_some(UserObject { fields: &route.return_user, user }),
    };
    // RFC 6749 section 5.1.
    ([(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")], Json(answer)).into_response()
}
