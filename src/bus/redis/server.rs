//! One server: its address, and connections to it, each with its own driver.

use std::{
    fmt, io,
    pin::Pin,
    sync::{Arc, OnceLock},
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, ConnectionAddr, IntoConnectionInfo as _, Pipeline, ProtocolVersion,
    PushInfo, RedisConnectionInfo, RedisError, ServerErrorKind, Value, aio::MultiplexedConnection,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring::default_provider, pki_types::ServerName},
};

use crate::domain::Secret;

/// The timeout of connecting, including TLS and `HELLO`.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(2);
/// The timeout of a single command.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(2);

/// The driver of a connection. It ends when the connection does.
pub(super) type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Why a server cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RedisFailure {
    /// No connection to the address.
    #[error("connecting failed: {0}")]
    Connect(io::Error),
    /// The TLS handshake failed.
    #[error("TLS failed: {0}")]
    Tls(io::Error),
    /// The system has no trusted certificates.
    #[error("the system's trusted certificates cannot be found (SSL_CERT_FILE names them)")]
    NoTrustedRoots,
    /// The server did not answer in time.
    #[error("there was no answer in time")]
    TimedOut,
    /// The server rejects the user or the password.
    #[error("the user or the password is rejected: {0}")]
    Password(RedisError),
    /// The server returned an error, or an invalid reply.
    #[error("the server answers: {0}")]
    ErrorReply(RedisError),
    /// The server lacks commands that are needed.
    #[error("the server is too old: {found} instead of {needed} or later")]
    TooOld {
        /// Its version.
        found: String,
        /// The version that is needed.
        needed: &'static str,
    },
    /// The server is not part of a cluster.
    #[error("the server is not in a cluster")]
    NoCluster,
    /// The cluster does not serve all slots, or the server is partitioned from it.
    #[error("the cluster is down")]
    ClusterDown,
    /// The connection has ended.
    #[error("the connection has ended")]
    Disconnected,
    /// Pings do not return.
    #[error("pings do not return")]
    PingTimedOut,
    /// Another server serves the channels now.
    #[error("the channels have moved")]
    Moved,
}

/// Why an address cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedisAddressError {
    /// The address is malformed.
    #[error("is no address like redis://:password@host:6379 or rediss://host:6379")]
    Form,
    /// The address requests TLS without verification.
    #[error("asks for TLS without proof, which is not supported")]
    Insecure,
}

/// The system's trusted certificates, read on first use.
#[derive(Clone, Debug, Default)]
pub(super) struct TlsConfig(OnceLock<Arc<ClientConfig>>);

/// See the module.
#[derive(Clone)]
pub(super) struct RedisServer {
    host: Box<str>,
    port: u16,
    secure: bool,
    settings: RedisConnectionInfo,
}

impl RedisServer {
    pub(super) fn parse(url: &Secret) -> Result<Self, RedisAddressError> {
        let url = str::from_utf8(url.expose()).ok().ok_or(RedisAddressError::Form)?;
        let info = url.into_connection_info().ok().ok_or(RedisAddressError::Form)?;
        let (host, port, secure) = match info.addr() {
            ConnectionAddr::Tcp(host, port) => (host, *port, false),
            ConnectionAddr::TcpTls { insecure: true, .. } => {
                return Err(RedisAddressError::Insecure);
            }
            ConnectionAddr::TcpTls { host, port, .. } => (host, *port, true),
            _ => return Err(RedisAddressError::Form),
        };
        let settings = info.redis_settings().clone();
        let settings = settings.set_protocol(ProtocolVersion::RESP3).set_skip_set_lib_name();
        Ok(Self { host: host.as_str().into(), port, secure, settings })
    }

    /// Another server of the same cluster, with the same password.
    pub(super) fn with_address(&self, host: &str, port: u16) -> Self {
        let host = if host.is_empty() { self.host.clone() } else { host.into() };
        Self { host, port, ..self.clone() }
    }

    /// What identifies the server.
    pub(super) fn address(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// Connects. Pushed messages go to `on_push`, in order, while the driver is polled.
    pub(super) async fn connect(
        &self,
        tls_config: &TlsConfig,
        on_push: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> Result<(MultiplexedConnection, Driver), RedisFailure> {
        let on_push = move |push| -> Result<(), ()> {
            on_push(push);
            Ok(())
        };
        // The callers of commands have timeouts of their own.
        let config =
            AsyncConnectionConfig::new().set_response_timeout(None).set_push_sender(on_push);
        let connect = async {
            let socket = TcpStream::connect(self.address()).await.map_err(RedisFailure::Connect)?;
            socket.set_nodelay(true).map_err(RedisFailure::Connect)?;
            if !self.secure {
                return self.handshake(socket, config).await;
            }
            let name = ServerName::try_from(self.host.to_string()).map_err(io::Error::other);
            let tls = TlsConnector::from(tls_config.get()?);
            let socket = tls.connect(name.map_err(RedisFailure::Tls)?, socket).await;
            self.handshake(socket.map_err(RedisFailure::Tls)?, config).await
        };
        timeout(CONNECT_WAIT_MAX, connect).await.unwrap_or(Err(RedisFailure::TimedOut))
    }

    async fn handshake<S>(
        &self,
        socket: S,
        config: AsyncConnectionConfig,
    ) -> Result<(MultiplexedConnection, Driver), RedisFailure>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let made = MultiplexedConnection::new_with_config(&self.settings, socket, config).await;
        let (connection, driver) = made.map_err(RedisFailure::of)?;
        Ok((connection, Box::pin(driver)))
    }

    /// Connects, sends a command, and disconnects.
    pub(super) async fn query(
        &self,
        tls_config: &TlsConfig,
        commands: &Pipeline,
    ) -> Result<Vec<Value>, RedisFailure> {
        let (mut connection, driver) = self.connect(tls_config, drop).await?;
        let answers = connection.send_packed_commands(commands, 0, commands.len());
        tokio::select! {
            answers = answers => answers.map_err(RedisFailure::of),
            () = driver => Err(RedisFailure::Disconnected),
            () = tokio::time::sleep(ANSWER_WAIT_MAX) => Err(RedisFailure::TimedOut),
        }
    }
}

impl RedisFailure {
    pub(super) fn of(error: RedisError) -> Self {
        let code = error.code().unwrap_or_default();
        if error.kind() == redis::ErrorKind::AuthenticationFailed
            || matches!(code, "WRONGPASS" | "NOAUTH")
        {
            Self::Password(error)
        } else if error.is_connection_dropped() {
            Self::Disconnected
        } else {
            Self::ErrorReply(error)
        }
    }

    /// The first error among these replies.
    pub(super) fn from_answers(answers: &[Value]) -> Option<Self> {
        answers.iter().find_map(|answer| match answer {
            Value::ServerError(error) if error.kind() == Some(ServerErrorKind::Moved) => {
                Some(Self::Moved)
            }
            Value::ServerError(error) if error.kind() == Some(ServerErrorKind::ClusterDown) => {
                Some(Self::ClusterDown)
            }
            Value::ServerError(error) => Some(Self::of(error.clone().into())),
            _ => None,
        })
    }
}

impl TlsConfig {
    #[cfg(test)]
    pub(super) fn of(config: ClientConfig) -> Self {
        Self(OnceLock::from(Arc::new(config)))
    }

    fn get(&self) -> Result<Arc<ClientConfig>, RedisFailure> {
        if let Some(config) = self.0.get() {
            return Ok(Arc::clone(config));
        }
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        if roots.add_parsable_certificates(found.certs).0 == 0 {
            return Err(RedisFailure::NoTrustedRoots);
        }
        Ok(Arc::clone(self.0.get_or_init(|| Arc::new(client_config(roots)))))
    }
}

/// A TLS configuration with these roots. The provider is named, because none is installed for the
/// process.
pub(super) fn client_config(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider supports the default TLS versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

impl fmt::Display for RedisServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for RedisServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({self})")
    }
}
