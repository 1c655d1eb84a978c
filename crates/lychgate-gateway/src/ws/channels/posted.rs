//! What a client publishes, with what the application puts in place of it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use lychgate_service::channels::said;
use lychgate_service::ports::broker::{Author, Publication, Tags, VERSION_EPOCH_BYTES_MAX, Version};
use serde_json::{Map, Value};

/// What is published in the end. Clients have no say about tags and versions; the application has.
pub(super) struct Posted<'a> {
    payload: Cow<'a, [u8]>,
    transient: bool,
    tags: Option<Tags>,
    version: Option<(u64, String)>,
}

impl<'a> Posted<'a> {
    /// A payload as the client says it.
    pub(super) fn of(payload: &'a [u8]) -> Self {
        Self { payload: payload.into(), transient: false, tags: None, version: None }
    }

    /// Takes what the application puts in place of it; false if that cannot be taken.
    pub(super) fn amend(&mut self, result: &Map<String, Value>) -> bool {
        if let Some(data) = said(result, "data") {
            self.payload = Cow::Owned(data.get().as_bytes().to_vec());
        }
        self.transient = result.get("skip_history").is_some_and(|skip| *skip == Value::Bool(true));
        self.take_tags(result).is_some() && self.take_version(result).is_some()
    }

    /// It, for the channel.
    pub(super) fn publication<'p>(&'p self, author: Option<Author<'p>>) -> Publication<'p> {
        let version = self.version.as_ref().map(|(number, epoch)| Version { number: *number, epoch });
        let (transient, tags) = (self.transient, self.tags.as_ref());
        Publication { author, transient, tags, version, ..Publication::of(&self.payload) }
    }

    fn take_tags(&mut self, result: &Map<String, Value>) -> Option<()> {
        if let Some(tags) = there(result, "tags") {
            let tags: BTreeMap<String, String> = serde_json::from_value(tags.clone()).ok()?;
            self.tags = Some(Tags::new(tags).ok()?);
        }
        Some(())
    }

    fn take_version(&mut self, result: &Map<String, Value>) -> Option<()> {
        let number = there(result, "version").map_or(Some(0), Value::as_u64)?;
        let epoch = there(result, "version_epoch").map_or(Some(""), Value::as_str)?;
        if epoch.len() > VERSION_EPOCH_BYTES_MAX {
            return None;
        }
        self.version = (number > 0).then(|| (number, epoch.to_owned()));
        Some(())
    }
}

fn there<'a>(result: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    result.get(key).filter(|value| !value.is_null())
}
