//! The server that is measured, and the sockets to it.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};

use http::{Request, header};
use reqwest::Url;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream, lookup_host},
};
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        Error, handshake::client::generate_key, http::request::Builder, protocol::WebSocketConfig,
    },
};

use crate::http_client::client_tls;

/// Bytes that a client reads at once: many clients share this process.
const READ_BYTES: usize = 4096;
/// The largest frame: what a server sends at once after an absence.
const FRAME_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A socket of any kind.
pub(super) trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

/// A WebSocket of any kind.
pub(super) type WebSocket = WebSocketStream<Box<dyn Socket>>;

/// The server.
pub(super) struct Target {
    /// What `Host` says.
    host: String,
    /// What is before the paths of the server.
    prefix: String,
    route: Route,
}

/// How sockets are opened.
enum Route {
    Tcp { addresses: Vec<SocketAddr>, tls: Option<(TlsConnector, ServerName<'static>)> },
    Unix(PathBuf),
}

impl Target {
    /// Resolves the name once. The error says what is wrong with an argument.
    pub(super) async fn resolve(url: &str) -> Result<Self, String> {
        if let Some(path) = url.strip_prefix("unix:") {
            let (host, route) = ("localhost".to_owned(), Route::Unix(PathBuf::from(path)));
            return Ok(Self { host, prefix: String::new(), route });
        }
        let parsed = Url::parse(url).ok().filter(Url::has_host);
        let secure = parsed.as_ref().and_then(|it| match it.scheme() {
            "ws" | "http" => Some(false),
            "wss" | "https" => Some(true),
            _ => None,
        });
        let (Some(parsed), Some(secure)) = (parsed, secure) else {
            return Err(format!(
                "--url {url:?}: this is not ws://host:port, wss://host:port or unix:/path"
            ));
        };
        // `Url` knows the ports of `ws` and `wss`, too.
        let port = parsed.port_or_known_default().unwrap_or(if secure { 443 } else { 80 });
        let name = parsed.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let resolved = lookup_host((name.as_str(), port)).await;
        let addresses = resolved.map_err(|error| format!("--url {url:?}: {error}"))?.collect();
        let tls = if secure {
            Some(tls(&name).map_err(|it| format!("--url {url:?}: {it}"))?)
        } else {
            None
        };
        let prefix = parsed.path().trim_end_matches('/').to_owned();
        let host = parsed.host_str().map_or(name, |host| format!("{host}:{port}"));
        Ok(Self { host, prefix, route: Route::Tcp { addresses, tls } })
    }

    /// Opens a WebSocket at a path with its query, perhaps with a token.
    pub(super) async fn open(&self, path: &str, token: Option<&str>) -> Result<WebSocket, Error> {
        let request = self.request(path, token).body(())?;
        let socket = self.connect().await?;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(FRAME_BYTES_MAX))
            .max_frame_size(Some(FRAME_BYTES_MAX));
        let (socket, _) = client_async_with_config(request, socket, Some(config)).await?;
        Ok(socket)
    }

    fn request(&self, path: &str, token: Option<&str>) -> Builder {
        let request = Request::get(format!("ws://{}{}{path}", self.host, self.prefix))
            .header(header::HOST, &self.host)
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, generate_key());
        match token {
            Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        }
    }

    async fn connect(&self) -> io::Result<Box<dyn Socket>> {
        match &self.route {
            Route::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
            Route::Tcp { addresses, tls } => {
                let socket = TcpStream::connect(addresses.as_slice()).await?;
                socket.set_nodelay(true)?;
                match tls {
                    None => Ok(Box::new(socket)),
                    Some((tls, name)) => Ok(Box::new(tls.connect(name.clone(), socket).await?)),
                }
            }
        }
    }
}

fn tls(name: &str) -> Result<(TlsConnector, ServerName<'static>), String> {
    let config = client_tls().map_err(|error| error.to_string())?;
    let name = ServerName::try_from(name.to_owned()).map_err(|error| error.to_string())?;
    Ok((TlsConnector::from(Arc::new(config)), name))
}
