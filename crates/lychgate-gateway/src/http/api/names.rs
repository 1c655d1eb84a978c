//! What a request names: resources and users in its path, a page in its query, an owner in its body.
//!
//! **Invariant:** a name is decoded once, and one that no resource or user can have is refused, never bent into one.

use std::borrow::Cow;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use http::{StatusCode, Uri};
use lychgate_service::ports::registry::{REGISTRY_NAME_BYTES_MAX, is_resource_name, is_user_name};
use serde::{Deserialize, Deserializer};

use crate::error::HttpError;
use crate::http::api::Call;

/// How many entries a page has when nobody asks for more or fewer.
const PAGE: u32 = 100;

/// How many it has at most.
const PAGE_MAX: u32 = 1_000;

/// Where a page begins, and how long it is.
pub(super) struct Page {
    pub(super) after: String,
    pub(super) limit: u32,
}

impl Call {
    /// The resource that the path names.
    pub(super) fn resource(&self) -> Result<String, HttpError> {
        self.part("name").filter(|name| is_resource_name(name)).map(str::to_owned).ok_or_else(|| {
            let text = format!("A resource's name has 1 to {REGISTRY_NAME_BYTES_MAX} characters of visible ASCII.");
            HttpError::new(StatusCode::UNPROCESSABLE_ENTITY, "name", text)
        })
    }

    /// The user that the path names.
    pub(super) fn user(&self) -> Result<String, HttpError> {
        self.part("user").filter(|user| is_user_name(user)).map(str::to_owned).ok_or_else(no_user)
    }

    /// The page that the query asks for.
    pub(super) fn page(&self) -> Result<Page, HttpError> {
        let uri = self.request.uri();
        let limit = match in_query(uri, "limit")? {
            None => PAGE,
            Some(limit) => match limit.parse::<u64>() {
                Ok(limit) if limit > 0 => u32::try_from(limit).unwrap_or(PAGE_MAX).min(PAGE_MAX),
                _ => return Err(HttpError::bad_request("query", "limit is a whole number from 1.")),
            },
        };
        Ok(Page { after: in_query(uri, "after")?.unwrap_or_default().into_owned(), limit })
    }

    /// The owner that the body names; nobody, if it says so.
    pub(super) async fn owner(self) -> Result<Option<String>, HttpError> {
        let body = read(self.request).await?;
        let body: Option<Body> = serde_json::from_slice(&body).map_err(|_| {
            HttpError::bad_request("bad_json", r#"Send {"owner": "NAME"}, {"owner": null} or null, and nothing else."#)
        })?;
        let owner = body.and_then(|body| body.owner);
        if owner.as_deref().is_some_and(|owner| !is_user_name(owner)) { Err(no_user()) } else { Ok(owner) }
    }

    fn part(&self, name: &str) -> Option<&str> {
        // What is not UTF-8 is no name either.
        let path = self.path.as_ref().ok()?;
        path.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

/// Unknown keys are refused: with a slip of the pen a resource would become nobody's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    #[serde(deserialize_with = "said")]
    owner: Option<String>,
}

/// Makes the key one that has to be there, if only as `null`.
fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(deserializer)
}

fn no_user() -> HttpError {
    let text = format!("A user has 1 to {REGISTRY_NAME_BYTES_MAX} bytes without control characters.");
    HttpError::new(StatusCode::UNPROCESSABLE_ENTITY, "name", text)
}

pub(super) async fn read(request: Request) -> Result<Bytes, HttpError> {
    Bytes::from_request(request, &()).await.map_err(|rejection: BytesRejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            HttpError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The request's body is too large.")
        }
        _ => HttpError::bad_request("bad_json", "The request's body could not be read."),
    })
}

fn in_query<'a>(uri: &'a Uri, name: &str) -> Result<Option<Cow<'a, str>>, HttpError> {
    let mut values = form_urlencoded::parse(uri.query().unwrap_or("").as_bytes()).filter(|(key, _)| key == name);
    match (values.next(), values.next()) {
        (first, None) => Ok(first.map(|(_, value)| value)),
        (_, Some(_)) => Err(HttpError::bad_request("query", format!("{name} stands there twice."))),
    }
}

#[cfg(test)]
mod tests {
    use super::Body;

    #[test]
    fn an_owner_is_said_once_or_said_to_be_nobody() {
        let read = |json: &str| serde_json::from_str::<Option<Body>>(json).ok().map(|body| body.and_then(|b| b.owner));
        assert_eq!(read(r#"{"owner":"ann"}"#), Some(Some("ann".to_owned())));
        for nobody in [r#"{"owner":null}"#, "null", " null "] {
            assert_eq!(read(nobody), Some(None), "{nobody}");
        }
        for bad in [
            "",
            "{}",
            "[]",
            r#""ann""#,
            r#"{"ower":"ann"}"#,
            r#"{"owner":"ann","name":"x"}"#,
            r#"{"owner":"ann","owner":null}"#,
            r#"{"owner":7}"#,
            r#"{"owner":["ann"]}"#,
            r#"{"owner":"ann"}{}"#,
            r#"{"owner":"\ud800"}"#,
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
