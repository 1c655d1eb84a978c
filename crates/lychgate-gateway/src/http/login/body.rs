//! What a client sends to log in, read out of a form or a JSON object.
//!
//! **Invariant:** a field counts only if it is there once, so that no two readers can see two logins in one body;
//! and no answer repeats anything of a body, since that could be the password.
//!
//! **Absent on purpose:** credentials in the query, in a header or in a multipart form.

use std::collections::BTreeSet;
use std::fmt;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use http::{HeaderMap, StatusCode, header};
use secrecy::SecretString;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use crate::error::HttpError;
use crate::settings::{LoginBody, LoginRoute};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// The field that holds the password, in a form and in JSON.
const PASSWORD: &str = "password";

/// The field that says what is asked for, and what it says for a refresh (RFC 6749 section 6).
const GRANT_TYPE: &str = "grant_type";
const REFRESH_TOKEN: &str = "refresh_token";

/// What somebody logs in with.
pub(super) struct Credentials {
    pub(super) login: String,
    pub(super) password: SecretString,
}

/// What a client wants.
pub(super) enum Asked {
    /// To log in.
    Login(Credentials),
    /// To go on by a refresh token.
    Refresh(SecretString),
}

/// Reads the body as its type says, if the route takes that type.
pub(super) async fn asked(request: Request, route: &LoginRoute) -> Result<Asked, HttpError> {
    let is_json = match (content_type(request.headers()).as_deref(), route.body) {
        (Some(FORM), LoginBody::Form | LoginBody::Any) => false,
        (Some(JSON), LoginBody::Json | LoginBody::Any) => true,
        _ => return Err(wrong_type(route)),
    };
    let bytes = read(request).await?;
    // Without sessions there is nothing to be refreshed, and the request is read as if it were a login.
    if route.revoke_path.is_some() && grant_type(&bytes, is_json).as_deref() == Some(REFRESH_TOKEN) {
        let [token, _] = fields(&bytes, is_json, [REFRESH_TOKEN, GRANT_TYPE]).ok_or_else(|| {
            HttpError::bad_request("invalid_request", "Send grant_type and refresh_token as texts, each once.")
                .with_error("invalid_request")
        })?;
        return Ok(Asked::Refresh(token.into()));
    }
    if is_json {
        let [login, password] = texts(&bytes, [&route.field, PASSWORD]).ok_or_else(|| {
            let (field, what) = (&route.field, "Send a JSON object with the texts");
            HttpError::bad_request("invalid_request", format!("{what} {field} and password, and no key twice."))
        })?;
        return Ok(Asked::Login(Credentials { login, password: password.into() }));
    }
    form(&bytes, &route.field).map(Asked::Login)
}

/// The token that is to be revoked, in a form (RFC 7009 section 2.1) or in JSON.
pub(super) async fn token(request: Request) -> Result<SecretString, HttpError> {
    let is_json = match content_type(request.headers()).as_deref() {
        Some(FORM) => false,
        Some(JSON) => true,
        _ => {
            let text = format!("Send token as {FORM} or {JSON}.");
            return Err(HttpError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type", text));
        }
    };
    let bytes = read(request).await?;
    let [token] = fields(&bytes, is_json, ["token"]).ok_or_else(|| {
        HttpError::bad_request("invalid_request", "Send token as a text, once.").with_error("invalid_request")
    })?;
    Ok(token.into())
}

/// What is asked for, if that is said once.
fn grant_type(bytes: &[u8], is_json: bool) -> Option<String> {
    fields(bytes, is_json, [GRANT_TYPE]).map(|[grant_type]| grant_type)
}

/// The texts of these names, each of them there once.
fn fields<const N: usize>(bytes: &[u8], is_json: bool, names: [&str; N]) -> Option<[String; N]> {
    if is_json {
        return texts(bytes, names);
    }
    let mut found = [const { None::<String> }; N];
    for (name, value) in form_urlencoded::parse(bytes) {
        if let Some(at) = names.iter().position(|wanted| *wanted == name)
            && found[at].replace(value.into_owned()).is_some()
        {
            return None;
        }
    }
    found.iter().all(Option::is_some).then(|| found.map(Option::unwrap_or_default))
}

/// The e-mail address in a JSON object, for the login that needs no password.
pub(super) async fn email(request: Request) -> Result<String, HttpError> {
    if content_type(request.headers()).as_deref() != Some(JSON) {
        let text = "Send email as application/json.";
        return Err(HttpError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type", text));
    }
    let bytes = read(request).await?;
    let [email] = texts(&bytes, ["email"]).ok_or_else(|| {
        HttpError::bad_request("invalid_request", "Send a JSON object with the text email, and no key twice.")
    })?;
    Ok(email)
}

/// The media type in small letters, without its parameters; nothing when there are two headers.
fn content_type(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let essence = value.to_str().ok()?.split(';').next()?;
    Some(essence.trim().to_ascii_lowercase())
}

async fn read(request: Request) -> Result<Bytes, HttpError> {
    // The rejection's own text is not passed on.
    Bytes::from_request(request, &()).await.map_err(|rejection: BytesRejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            HttpError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The request's body is too large.")
        }
        _ => HttpError::bad_request("invalid_request", "The request's body could not be read."),
    })
}

fn wrong_type(route: &LoginRoute) -> HttpError {
    let types = match route.body {
        LoginBody::Form => FORM.to_owned(),
        LoginBody::Json => JSON.to_owned(),
        LoginBody::Any => format!("{FORM} or {JSON}"),
    };
    let text = format!("Send {} and password as {types}.", route.field);
    HttpError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type", text)
}

/// The form of the OAuth 2 password request, as browsers and curl send it (RFC 6749 section 4.3.2).
fn form(bytes: &[u8], field: &str) -> Result<Credentials, HttpError> {
    let (mut login, mut password, mut grant_type) = (None, None, None);
    let mut is_each_once = true;
    for (name, value) in form_urlencoded::parse(bytes) {
        let place = match &*name {
            PASSWORD => &mut password,
            GRANT_TYPE => &mut grant_type,
            name if name == field => &mut login,
            _ => continue,
        };
        is_each_once &= place.replace(value.into_owned()).is_none();
    }
    let (Some(login), Some(password), true) = (login, password, is_each_once) else {
        let text = format!("Send the form fields {field} and password, each once.");
        return Err(HttpError::bad_request("invalid_request", text));
    };
    if !matches!(grant_type.as_deref(), None | Some("" | "password")) {
        return Err(HttpError::bad_request("unsupported_grant_type", "grant_type must be \"password\" or absent."));
    }
    Ok(Credentials { login, password: password.into() })
}

/// The texts of these names in a JSON object that has no name twice; other names are passed over.
fn texts<const N: usize>(bytes: &[u8], names: [&str; N]) -> Option<[String; N]> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let texts = Texts(names).deserialize(&mut json).ok()?;
    json.end().ok()?;
    Some(texts)
}

struct Texts<'a, const N: usize>([&'a str; N]);

impl<'de, const N: usize> DeserializeSeed<'de> for Texts<'_, N> {
    type Value = [String; N];

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, const N: usize> Visitor<'de> for Texts<'_, N> {
    type Value = [String; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = [const { None::<String> }; N];
        let mut seen = BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            match self.0.iter().position(|wanted| *wanted == name) {
                Some(at) => found[at] = Some(map.next_value()?),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
            if !seen.insert(name) {
                return Err(A::Error::custom("a name occurs twice"));
            }
        }
        if found.iter().any(Option::is_none) {
            return Err(A::Error::custom("a name is missing"));
        }
        Ok(found.map(Option::unwrap_or_default))
    }
}

#[cfg(test)]
mod tests {
    use super::texts;

    #[test]
    fn two_texts_are_read_out_of_an_object_and_nothing_else() {
        let read = |json: &str| texts(json.as_bytes(), ["login", "password"]);
        let (login, password) = ("a\u{f6}".to_owned(), "p \"q\"".to_owned());
        for good in [
            r#"{"login":"aö","password":"p \"q\""}"#,
            r#" { "password" : "p \u0022q\"" , "lo\u0067in" : "a\u00f6" } "#,
            r#"{"login":"aö","password":"p \"q\"","remember":true,"deep":[{"login":1,"login":2}],"none":null}"#,
        ] {
            assert_eq!(read(good), Some([login.clone(), password.clone()]), "{good}");
        }
        for bad in [
            "",
            "null",
            "[]",
            r#"["a","p"]"#,
            r#""login""#,
            r#"{"login":"a"}"#,
            r#"{"password":"p"}"#,
            r#"{"login":"a","password":null}"#,
            r#"{"login":"a","password":1}"#,
            r#"{"login":["a"],"password":"p"}"#,
            r#"{"login":{"$ne":""},"password":"p"}"#,
            r#"{"login":"a","password":"p","password":"p"}"#,
            r#"{"login":"a","password":"p","p\u0061ssword":"q"}"#,
            r#"{"login":"a","password":"p","other":1,"other":1}"#,
            r#"{"login":"a","password":"p"}{}"#,
            r#"{"login":"a","password":"p"},"#,
            r#"{"login":"a","password":"p",}"#,
            r#"{"login":"a","password":"\ud800"}"#,
            "{'login':'a','password':'p'}",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
        let deep = format!(r#"{{"login":"a","password":"p","deep":{}{}}}"#, "[".repeat(4_000), "]".repeat(4_000));
        assert!(read(&deep).is_some(), "what is passed over costs no stack, however deep it is");
        assert_eq!(texts(b"{\"login\":\"\xff\",\"password\":\"p\"}", ["login", "password"]), None, "no UTF-8");
    }
}
