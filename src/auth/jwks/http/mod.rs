//! One HTTP/1.1 request for a set of keys, over TLS if the address is `https`.
//!
//! Each fetch opens its own connection and closes it: fetches are minutes apart, so a kept
//! connection would only add a task to own. Redirects are not followed, because the source of keys
//! is a setting.

use std::{pin::pin, sync::Arc};

use async_trait::async_trait;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{
    HeaderValue, Request, StatusCode, Uri,
    header::{ACCEPT, AUTHORIZATION, CONNECTION, HOST, USER_AGENT},
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring::default_provider, pki_types::ServerName},
};

use super::{Fetch, FetchError};

/// The largest response. A hundred keys with their certificates take a third of it.
const ANSWER_BYTES_MAX: usize = 256 << 10;

/// The system has no trusted certificates, so no site can be verified.
#[derive(Debug, thiserror::Error)]
#[error("the system's trusted certificates cannot be found{0} (SSL_CERT_FILE names them)")]
pub struct NoTrustedCertificates(String);

/// The system's trusted certificates.
pub(in crate::auth) fn tls_config() -> Result<Arc<ClientConfig>, NoTrustedCertificates> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let errors = found.errors.iter().map(|error| format!(": {error}"));
        return Err(NoTrustedCertificates(errors.collect()));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has the usual versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Fetches from one address.
pub(in crate::auth) struct HttpFetch {
    url: Uri,
    tls: Option<TlsConnector>,
}

impl HttpFetch {
    /// `url` has a host and is `http` or, with `tls_config`, `https`.
    pub(in crate::auth) fn new(url: &Uri, tls_config: Option<&Arc<ClientConfig>>) -> Self {
        let secure = url.scheme_str() == Some("https");
        let tls = tls_config.filter(|_| secure).map(|it| TlsConnector::from(Arc::clone(it)));
        Self { url: url.clone(), tls }
    }

    /// The host without the brackets of an IPv6 address.
    fn host(&self) -> &str {
        self.url.host().unwrap_or_default().trim_matches(['[', ']'])
    }

    fn request(&self) -> Request<String> {
        let path = self.url.path_and_query().map_or("/", |it| it.as_str());
        let mut request = Request::new(String::new());
        *request.uri_mut() = path.parse().unwrap_or_default();
        let headers = request.headers_mut();
        let authority = self.url.authority().map_or("", |it| it.as_str());
        let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        let mut put = |name, value: &str| {
            // The parts of a parsed address are valid header values.
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        put(HOST, host);
        put(ACCEPT, "application/json, application/jwk-set+json");
        put(USER_AGENT, concat!("roomcast/", env!("CARGO_PKG_VERSION")));
        put(CONNECTION, "close");
        if !user.is_empty() {
            let user: Vec<u8> = percent_decode_str(user).collect();
            put(AUTHORIZATION, &format!("Basic {}", BASE64_STANDARD.encode(user)));
        }
        request
    }
}

#[async_trait]
impl Fetch for HttpFetch {
    async fn fetch(&self) -> Result<Vec<u8>, FetchError> {
        let (host, usual) = (self.host(), if self.tls.is_some() { 443 } else { 80 });
        let port = self.url.port_u16().unwrap_or(usual);
        let socket = TcpStream::connect((host, port)).await.map_err(FetchError::Connect)?;
        let Some(tls) = &self.tls else { return exchange(socket, self.request()).await };
        let name = ServerName::try_from(host.to_owned()).map_err(broken)?;
        let socket = tls.connect(name, socket).await.map_err(FetchError::Tls)?;
        exchange(socket, self.request()).await
    }
}

/// Sends the request and reads the answer.
async fn exchange<S>(socket: S, request: Request<String>) -> Result<Vec<u8>, FetchError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let (mut sender, connection) = handshake(TokioIo::new(socket)).await.map_err(broken)?;
    let answer = async move {
        let answer = sender.send_request(request).await.map_err(broken)?;
        if answer.status() != StatusCode::OK {
            return Err(FetchError::Status(answer.status().as_u16()));
        }
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        match body {
            Ok(body) => Ok(body.to_bytes().into()),
            Err(error) if error.is::<LengthLimitError>() => {
                Err(FetchError::TooLarge(ANSWER_BYTES_MAX))
            }
            Err(error) => Err(FetchError::Broken(error)),
        }
    };
    let (mut answer, connection) = (pin!(answer), pin!(connection));
    // The connection is driven only here. A response that it has read stays available after its
    // end.
    tokio::select! {
        answer = &mut answer => return answer,
        _ = connection => (),
    }
    answer.await
}

fn broken(error: impl std::error::Error + Send + Sync + 'static) -> FetchError {
    FetchError::Broken(Box::new(error))
}

#[cfg(test)]
mod tests;
