//! Everything that grows, and how far it may.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

/// One row per bound; `config` fills them from the settings of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A message's body, text and attachments together. One byte more is refused.
    pub body_bytes_max: NonZeroUsize,
    /// A WebSocket message or a polling request. One byte more ends the connection.
    pub frame_bytes_max: NonZeroUsize,
    /// Byte strings in one message. Official clients refuse packets with more than 10.
    pub attachments_max: usize,
    /// Rooms that one user may be a member of.
    pub rooms_per_user_max: NonZeroUsize,
    /// Spaces that one Socket.IO connection may be in.
    pub spaces_per_connection_max: NonZeroUsize,
    /// Messages in one page of history.
    pub history_messages_max: NonZeroU32,
    /// Missed messages sent to a client that comes back. Past it the client pages history.
    pub recover_messages_max: u64,
    /// Recent messages of a conversation kept in memory for those who come back.
    pub ring_messages_max: NonZeroUsize,
    /// Size of these.
    pub ring_bytes_max: NonZeroUsize,
    /// Events waiting for one slow connection. The next one ends it.
    pub outbox_events_max: NonZeroUsize,
    /// Size of these.
    pub outbox_bytes_max: NonZeroUsize,
    /// Requests of one connection that wait for their turn. The next one ends it.
    pub inbox_requests_max: NonZeroUsize,
    /// Messages waiting to be stored, of all connections. Past it senders wait.
    pub journal_messages_max: NonZeroUsize,
    /// Size of these. Past it senders wait.
    pub journal_bytes_max: NonZeroU32,
    /// Announcements to other nodes that wait to be carried, and as many that wait to be taken. More are
    /// dropped, and made up for from the store.
    pub bus_announcements_max: NonZeroUsize,
    /// Messages that one connection may send in the long run.
    pub messages_per_second_max: NonZeroU32,
    /// Messages that one connection may send at once after a pause.
    pub messages_burst_max: NonZeroU32,
    /// Users that are listed by name. A larger room gets counts.
    pub presence_list_max: usize,
    /// Members of a room who hear how far others have read. Larger rooms do not.
    pub receipts_members_max: usize,
    /// How long a user who disconnected stays in the room, so that a reload does not flap.
    pub presence_grace: Duration,
    /// Socket.IO namespaces that exist by pattern at one time. Past it new ones are refused. On
    /// `/ws` a space in which nobody is takes nothing.
    pub spaces_max: usize,
    /// Connections on this node. Past it new ones are refused.
    pub connections_max: usize,
    /// How often a silent connection is asked whether it is there.
    pub ping_interval: Duration,
    /// How long it may take to answer.
    pub ping_timeout: Duration,
    /// How long a socket may take nothing of what is sent. Past it the connection is cut.
    pub write_stall_max: Duration,
    /// From the first byte of a request to the end of its head, and idle between two requests.
    pub request_head_wait_max: Duration,
    /// From the end of a request's head to the end of its body.
    pub request_body_wait_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: bound(512 << 10),
            frame_bytes_max: bound(1 << 20),
            attachments_max: 10,
            rooms_per_user_max: bound(1000),
            spaces_per_connection_max: bound(100),
            history_messages_max: NonZeroU32::new(200).expect("not zero"),
            recover_messages_max: 10_000,
            ring_messages_max: bound(1024),
            ring_bytes_max: bound(1 << 20),
            outbox_events_max: bound(32_768),
            outbox_bytes_max: bound(4 << 20),
            inbox_requests_max: bound(16_384),
            journal_messages_max: bound(4096),
            journal_bytes_max: NonZeroU32::new(32 << 20).expect("not zero"),
            bus_announcements_max: bound(16_384),
            messages_per_second_max: NonZeroU32::new(5000).expect("not zero"),
            messages_burst_max: NonZeroU32::new(25_000).expect("not zero"),
            presence_list_max: 200,
            receipts_members_max: 50,
            presence_grace: Duration::from_secs(5),
            spaces_max: 1000,
            connections_max: 100_000,
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            write_stall_max: Duration::from_secs(10),
            request_head_wait_max: Duration::from_secs(30),
            request_body_wait_max: Duration::from_secs(30),
        }
    }
}

/// A bound that is not zero.
const fn bound(size: usize) -> NonZeroUsize {
    NonZeroUsize::new(size).expect("the bounds above are not zero")
}
