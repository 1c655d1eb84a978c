//! One request over HTTP/1.1 and its answer, on a connection of its own.

use http::response::Parts;
use http::{Request, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;

use super::connect::target::Target;
use super::connect::transport;

/// Why there is no answer, in words.
pub(super) enum NoAnswer {
    /// Nobody was reached.
    NotConnected(String),
    /// Somebody was, and the answer did not come whole.
    CutOff(String),
}

/// Posts `body` with these headers to `target` and reads the answer, at most `answer_bytes_max` of it.
pub(super) async fn post(
    target: &Target,
    headers: &[(header::HeaderName, &str)],
    body: Vec<u8>,
    answer_bytes_max: usize,
) -> Result<(Parts, Bytes), NoAnswer> {
    let cut_off = |error: &dyn std::fmt::Display| NoAnswer::CutOff(error.to_string());
    let stream = transport::connect(target).await.map_err(NoAnswer::NotConnected)?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| cut_off(&error))?;
    let mut request = Request::post(target.path_and_query()).header(header::HOST, &target.authority);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body))).map_err(|error| cut_off(&error))?;
    let exchange = async move {
        let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, answer_bytes_max).collect().await.map_err(|error| error.to_string())?;
        Ok::<_, String>((head, body.to_bytes()))
    };
    // The connection is driven here, beside the exchange, and ends with it.
    let (exchanged, _) = tokio::join!(exchange, connection);
    exchanged.map_err(NoAnswer::CutOff)
}
