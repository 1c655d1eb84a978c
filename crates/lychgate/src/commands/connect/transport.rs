//! A byte stream to a host: TCP, and TLS over it where the URL says so.
//!
//! Certificates are judged by the system's own roots.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::target::Target;

/// From the first packet to the end of the handshakes.
pub(in crate::commands) const CONNECT_WAIT: Duration = Duration::from_secs(10);

/// A connected stream.
pub(in crate::commands) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Connects, or says in a sentence why not.
pub(in crate::commands) async fn connect(target: &Target) -> Result<Stream, String> {
    let (host, port) = (target.host.as_str(), target.port);
    let tcp = TcpStream::connect((host, port)).await.map_err(|error| {
        let hint = match error.kind() {
            std::io::ErrorKind::ConnectionRefused => " (is the server running?)",
            _ => "",
        };
        format!("cannot connect to {host} port {port}: {error}{hint}")
    })?;
    // Lines are short and somebody waits for each.
    let _ = tcp.set_nodelay(true);
    if !target.is_tls {
        return Ok(Stream::Plain(tcp));
    }
    let name = ServerName::try_from(host.to_owned()).map_err(|_| format!("{host} is no name for TLS"))?;
    let tls = TlsConnector::from(Arc::new(config()?)).connect(name, tcp).await;
    tls.map(|tls| Stream::Tls(Box::new(tls))).map_err(|error| format!("TLS with {host} failed: {error}"))
}

fn config() -> Result<ClientConfig, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (taken, _) = roots.add_parsable_certificates(found.certs);
    if taken == 0 {
        return Err(
            "this system has no root certificates; install them, or name their file in SSL_CERT_FILE".to_owned()
        );
    }
    Ok(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
