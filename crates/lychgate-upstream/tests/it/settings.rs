//! Settings that make no adapter.

use std::sync::Arc;

use lychgate_service::ports::clock::SystemClock;
use lychgate_upstream::SettingsFault;
use lychgate_upstream::callback::{CallSettings, SignedApplication};
use lychgate_upstream::models::{ModelSource, SourceKind, SourceLimits, SourceSettings};

use crate::models::settings;
use crate::peer::call_settings;

const URL: &str = "http://127.0.0.1:11434/api/generate";

fn source_fault(change: impl FnOnce(&mut SourceSettings)) -> Option<SettingsFault> {
    let mut settings = settings(URL.to_owned(), SourceKind::Ollama);
    change(&mut settings);
    ModelSource::new(&settings).err()
}

fn call_fault(change: impl FnOnce(&mut CallSettings)) -> Option<SettingsFault> {
    let mut settings = call_settings(URL.to_owned());
    change(&mut settings);
    SignedApplication::new(&settings, Arc::new(SystemClock)).err()
}

#[test]
fn an_address_is_http_without_a_user() {
    assert!(source_fault(|_| ()).is_none() && call_fault(|_| ()).is_none(), "the control");
    for url in ["", "api/generate", "//host/", "ftp://host/", "file:///etc/passwd", "http://", "http://ann:pw@host/"] {
        let fault = source_fault(|settings| url.clone_into(&mut settings.url));
        assert!(matches!(fault, Some(SettingsFault::Url)), "{url}: {fault:?}");
        let fault = call_fault(|settings| url.clone_into(&mut settings.url));
        assert!(matches!(fault, Some(SettingsFault::Url)), "{url}: {fault:?}");
    }
}

#[test]
fn a_header_is_one_that_may_be_set() {
    for (name, value, is_good) in [
        ("X-Api-Key", "key", true),
        ("Authorization", "Basic QQ==", true),
        ("X Api Key", "key", false),
        ("", "key", false),
        ("X-Api-Key", "two\r\nlines", false),
        ("Host", "elsewhere", false),
        ("Content-Length", "0", false),
        ("webhook-id", "1", false),
    ] {
        let fault = source_fault(|settings| settings.headers = vec![(name.to_owned(), value.into())]);
        assert_eq!(fault.is_none(), is_good, "{name}");
        let fault = call_fault(|settings| settings.headers = vec![(name.to_owned(), value.into())]);
        assert_eq!(fault.is_none(), is_good, "{name}");
    }
    let twice = vec![("X-A".to_owned(), "1".into()), ("x-a".to_owned(), "2".into())];
    assert!(source_fault(|settings| settings.headers = twice).is_some(), "one header, one value");
    let authorizations = source_fault(|settings| {
        settings.headers = vec![("authorization".to_owned(), "Basic QQ==".into())];
        settings.bearer = Some("token".into());
    });
    assert!(authorizations.is_some(), "one header, one value");
}

#[test]
fn a_secret_is_long_and_a_limit_above_zero() {
    assert!(matches!(call_fault(|settings| settings.secret = "short".into()), Some(SettingsFault::Secret)));
    let zeros: [fn(&mut CallSettings); 3] = [
        |settings| settings.limits.calls_max = 0,
        |settings| settings.limits.answer_bytes_max = 0,
        |settings| settings.breaker.failures_max = 0,
    ];
    for zero in zeros {
        assert!(matches!(call_fault(zero), Some(SettingsFault::Limit(_))));
    }
    assert!(matches!(call_fault(|settings| settings.limits.waiting_max = usize::MAX), Some(SettingsFault::Limit(_))));
    let zeros: [fn(&mut SourceLimits); 3] =
        [|limits| limits.event_bytes_max = 0, |limits| limits.text_bytes_max = 0, |limits| limits.body_bytes_max = 0];
    for zero in zeros {
        assert!(matches!(source_fault(|settings| zero(&mut settings.limits)), Some(SettingsFault::Limit(_))));
    }
}
