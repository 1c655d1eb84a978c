//! Logging in first: a form over HTTP, then the socket; over TLS as well.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::connect::{Seen, Server, TOKEN, accept, answer_http, converse};
use crate::support::Place;

const PASSWORD: &str = "S3cret & sound=ü";

/// A login that answers like this, and then a socket if one comes; gives the login's request and what the socket saw.
fn login_then_socket(status: &'static str, headers: &'static str, body: String) -> Server<(String, Seen)> {
    Server::run(move |listener| async move {
        let (stream, _) = listener.accept().await.unwrap();
        let request = answer_http(stream, status, headers, &body).await;
        let mut seen = Seen::default();
        if status.starts_with("200") && body.contains("access_token") {
            let (stream, _) = listener.accept().await.unwrap();
            let mut socket = accept(stream, &mut seen).await;
            converse(&mut socket, &mut seen, |text| Some(format!("re: {text}"))).await;
        }
        (request, seen)
    })
}

#[test]
fn the_password_is_the_first_line_and_the_rest_is_sent() {
    let body = format!("{{\"access_token\":\"{TOKEN}\",\"token_type\":\"bearer\",\"expires_in\":1800}}");
    let server = login_then_socket("200 OK", "content-type: application/json\r\n", body);
    let place = Place::new();
    let input = format!("{PASSWORD}\nhello\n");
    let arguments = ["connect", &server.url(), "--user", "al ice", "--password-stdin"];
    let ran = place.feed(&input, &arguments).expect(0);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("re: hello\n", ""));
    let (request, seen) = server.result();
    assert!(request.starts_with("POST /token HTTP/1.1\r\n"), "{request}");
    assert!(
        request.ends_with("\r\n\r\ngrant_type=password&username=al%20ice&password=S3cret%20%26%20sound%3D%C3%BC"),
        "{request}"
    );
    assert_eq!((seen.target, seen.texts), (format!("/ws?token={TOKEN}"), vec!["hello".to_owned()]));
}

#[test]
fn a_failed_login_says_why_and_shows_nothing() {
    let cases = [
        ("401 Unauthorized", "", "{\"detail\":\"SENTINEL\"}", "did not take this name and password"),
        ("403 Forbidden", "", "", "does not let this account in"),
        ("404 Not Found", "", "", "name it with --login-path or --login-url"),
        ("429 Too Many Requests", "retry-after: 17\r\n", "", "try again in 17 s"),
        ("503 Service Unavailable", "", "", "too busy"),
        ("500 Internal Server Error", "", "", "answered the login with 500"),
        ("200 OK", "", "{\"token\":\"SENTINEL\"}", "without an access_token"),
    ];
    for (status, headers, body, said) in cases {
        let server = login_then_socket(status, headers, body.to_owned());
        let arguments = ["connect", &server.url(), "--user", "alice", "--password-stdin", "--listen"];
        let ran = Place::new().feed(&format!("{PASSWORD}\n"), &arguments).expect(5);
        assert!(ran.err.contains(said), "{status}: {}", ran.err);
        assert!(!ran.says("S3cret") && !ran.says("SENTINEL"), "{status}: {}{}", ran.out, ran.err);
        server.result();
    }
}

#[test]
fn the_login_can_be_elsewhere() {
    let login = login_then_socket("401 Unauthorized", "", String::new());
    let url = format!("http://{}/api/login?x=1", login.address);
    let arguments = ["connect", "ws://127.0.0.1:1/ws", "--user", "a", "--password-stdin", "--login-url", &url];
    Place::new().feed("pw\n", &arguments).expect(5);
    let (request, _) = login.result();
    assert!(request.starts_with("POST /api/login?x=1 HTTP/1.1\r\n"), "{request}");

    let place = Place::new();
    place.feed("pw\n", &["connect", "ws://127.0.0.1:1/ws", "--user", "a", "--password-stdin"]).expect(4);
    place
        .feed("pw\n", &["connect", "ws://h/ws", "--user", "a", "--password-stdin", "--login-url", "h/token"])
        .expect(2);
    place.feed("pw\n", &["connect", "ws://h/ws", "--password-stdin"]).expect(2);
}

#[test]
fn the_login_can_have_another_form() {
    let body = || format!("{{\"access_token\":\"{TOKEN}\"}}");
    for (flags, request_line, kind, sent) in [
        (
            &["--login-path", "/auth/login", "--login-field", "email", "--login-json"][..],
            "POST /auth/login HTTP/1.1\r\n",
            "content-type: application/json\r\n",
            r#"{"email":"al \"ice\"","password":"S3cret & sound=ü"}"#,
        ),
        (
            &["--login-path", "/in", "--login-field", "e&mail"],
            "POST /in HTTP/1.1\r\n",
            "content-type: application/x-www-form-urlencoded\r\n",
            "grant_type=password&e%26mail=al%20%22ice%22&password=S3cret%20%26%20sound%3D%C3%BC",
        ),
    ] {
        let server = login_then_socket("200 OK", "", body());
        let url = server.url();
        let arguments = [&["connect", &url, "--user", "al \"ice\"", "--password-stdin"][..], flags].concat();
        let ran = Place::new().feed(&format!("{PASSWORD}\nhello\n"), &arguments).expect(0);
        assert_eq!(ran.out, "re: hello\n");
        let (request, _) = server.result();
        assert!(request.starts_with(request_line) && request.to_lowercase().contains(kind), "{request}");
        assert!(request.ends_with(&format!("\r\n\r\n{sent}")), "{request}");
    }
    let place = Place::new();
    for wrong in [
        &["--user", "a", "--login-path", "auth"][..],
        &["--user", "a", "--login-path", "/a b"],
        &["--user", "a", "--login-path", "/a?b"],
        &["--user", "a", "--login-path", "/a", "--login-url", "http://h/a"],
        &["--login-path", "/a"],
        &["--login-json"],
    ] {
        place.run(&[&["connect", "ws://127.0.0.1:1/ws"][..], wrong].concat()).expect(2);
    }
}

#[test]
fn a_password_beyond_this_machine_is_warned_of() {
    // 192.0.2.0/24 is nobody's (RFC 5737), and port 1 of it is refused or unreachable at once, or the test waits in vain.
    let place = Place::new();
    let warned = |url: &str, login: &str| {
        let arguments = ["connect", url, "--user", "a", "--password-stdin", "--login-url", login];
        place.feed("pw\n", &arguments).says("the password travels unencrypted")
    };
    assert!(!warned("ws://127.0.0.1:1/ws", "http://127.0.0.1:1/token"));
    assert!(!warned("ws://127.0.0.1:1/ws", "https://nowhere.invalid:1/token"));
    assert!(warned("ws://127.0.0.1:1/ws", "http://nowhere.invalid:1/token"));
}

#[test]
fn tls_trusts_the_systems_roots_and_nobody_else() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let others = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let place = Place::with(&[("roots.pem", &made.cert.pem()), ("others.pem", &others.cert.pem())]);
    for trusted in [true, false] {
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key);
        let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
        let server = Server::run(move |listener| async move {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else { return None };
            let mut request = vec![0; 4096];
            let count = stream.read(&mut request).await.unwrap();
            stream.write_all(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            stream.shutdown().await.unwrap();
            request.truncate(count);
            Some(String::from_utf8(request).unwrap())
        });
        let url = format!("wss://localhost:{}/ws", server.address.port());
        let mut command = place.command(&["connect", &url, "--listen", "--token", TOKEN]);
        command.env("SSL_CERT_FILE", place.path.join(if trusted { "roots.pem" } else { "others.pem" }));
        let ran = crate::support::Ran::of(command.spawn().unwrap()).expect(if trusted { 3 } else { 4 });
        assert_eq!(ran.says("TLS with localhost failed"), !trusted, "{}", ran.err);
        assert_eq!(server.result().is_some_and(|request| request.contains(TOKEN)), trusted);
        assert!(!ran.says("SENTINEL"), "{}", ran.err);
    }
}
