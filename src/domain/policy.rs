//! Choices of the operator that several layers act on.

use std::fmt;

/// Whether clients may connect without a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guests {
    /// Any client may connect and pick a name.
    On,
    /// A token is required.
    Off,
}

/// Whether the device of a guest without a token proves that it is the same guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestDevices {
    /// It does, until the end of the grace period.
    Accepted,
    /// Only the token does.
    Ignored,
}

/// Whether pages may also sign in by form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormSignIn {
    /// There are routes for forms.
    On,
    /// There is only `/api/session`.
    Off,
}

/// Whether WebSocket clients that offer it use `permessage-deflate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebSocketCompression {
    /// They do.
    On,
    /// No message is compressed.
    Off,
}

/// The number of devices that a user may have online.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DevicePolicy {
    /// Any number.
    Many,
    /// One: the newest device disconnects the others.
    Newest,
}

/// Whether a token may be in the query of an address, where logs of proxies may keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryTokens {
    /// It may.
    Accepted,
    /// A connection with such a token is refused.
    Rejected,
}

/// The failures that a commit of the SQLite engine survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// A power cut: each commit waits for the disk.
    #[default]
    Full,
    /// The end of this process. A power cut may lose the last commits, each as a whole.
    Normal,
}

/// What a back end may be asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hook {
    /// Connections.
    Connect,
    /// `send message`, `GroupChat` and `SingleChat`.
    Message,
    /// `join`, of a room that the user is not in.
    Join,
    /// `invite`.
    Invite,
}

/// Whether back ends publish through Redis as servers of Socket.IO do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmitterMode {
    /// They do: anonymous connections receive what is sent to their default room.
    On,
    /// They do not.
    #[default]
    Off,
}

/// What an API key permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ApiScope {
    /// Events, messages and notifications.
    Publish,
    /// Memberships and connections.
    Manage,
    /// Histories, and who is online.
    Read,
}

impl fmt::Display for ApiScope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Publish => "publish",
            Self::Manage => "manage",
            Self::Read => "read",
        })
    }
}

/// The header in which trusted proxies name the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// Whether the log has a line for each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessLogging {
    /// It has.
    On,
    /// It has not.
    Off,
}

/// Whether connections of trusted proxies begin with a header of the PROXY protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// They do. One that does not is closed.
    On,
    /// None does.
    Off,
}

/// Whether the official Admin UI is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminUiMode {
    /// It is.
    On,
    /// It is not.
    Off,
}

/// Who may use the Admin UI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminUiAccess {
    /// Who knows the password.
    Password,
    /// Everybody who reaches it.
    Everybody,
}

/// What the users of the Admin UI may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminUiRights {
    /// They see connections and rooms.
    ReadOnly,
    /// They change them, too.
    Commands,
}
