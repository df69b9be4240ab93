//! One server: its address, and how to get a connection to it that nobody else drives.

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

/// How long connecting may take, with TLS and the greeting.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(2);
/// How long a single question may take.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(2);

/// What moves a connection. It ends when the connection does.
pub(super) type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Why a server does not serve.
#[derive(Debug, thiserror::Error)]
pub enum RedisFailure {
    /// Nobody is there.
    #[error("connecting failed: {0}")]
    Connect(io::Error),
    /// Somebody is there who cannot prove to be the server.
    #[error("TLS failed: {0}")]
    Tls(io::Error),
    /// The machine trusts nobody, so nobody can vouch for a server.
    #[error("the system's trusted certificates cannot be found (SSL_CERT_FILE names them)")]
    NoTrustedRoots,
    /// It takes too long.
    #[error("there was no answer in time")]
    TimedOut,
    /// It wants another password, or one at all.
    #[error("the password or the user is refused: {0}")]
    Password(RedisError),
    /// It says no, or something that makes no sense.
    #[error("the server answers: {0}")]
    ErrorReply(RedisError),
    /// It lacks what is needed.
    #[error("the server is too old: {found} instead of {needed} or later")]
    TooOld {
        /// Its version.
        found: String,
        /// The version that is needed.
        needed: &'static str,
    },
    /// It is not part of a cluster.
    #[error("the server is not in a cluster")]
    NoCluster,
    /// Its cluster serves not all slots, or knows that it is cut off.
    #[error("the cluster is down")]
    ClusterDown,
    /// The connection has ended.
    #[error("the connection has ended")]
    Disconnected,
    /// What is published there is not heard.
    #[error("what is published is not heard")]
    PingTimedOut,
    /// Another server serves the channels now.
    #[error("the channels have moved")]
    Moved,
}

/// Why a server's address cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedisAddressError {
    /// It is none.
    #[error("is no address like redis://:password@host:6379 or rediss://host:6379")]
    Form,
    /// It asks for TLS without proof.
    #[error("asks for TLS without proof, which is not supported")]
    Insecure,
}

/// Whom the machine trusts to vouch for servers: looked up when it is needed first.
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

    /// Another one, which takes the same password.
    pub(super) fn with_address(&self, host: &str, port: u16) -> Self {
        let host = if host.is_empty() { self.host.clone() } else { host.into() };
        Self { host, port, ..self.clone() }
    }

    /// What tells it from others.
    pub(super) fn address(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// Connects. What the server says unasked goes to `on_push`, in order, while the driver is polled.
    pub(super) async fn connect(
        &self,
        tls_config: &TlsConfig,
        on_push: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> Result<(MultiplexedConnection, Driver), RedisFailure> {
        let on_push = move |push| -> Result<(), ()> {
            on_push(push);
            Ok(())
        };
        // Who waits for answers has a watch of its own.
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

    /// Connects, asks, and lets go.
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

    /// The first of these answers that is an error.
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

/// TLS with these roots. The provider is named, because none is installed for the process.
pub(super) fn client_config(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has the usual versions")
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
