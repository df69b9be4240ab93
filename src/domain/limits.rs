//! Limits of everything that grows or waits.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use super::Pace;

/// One field per limit. `config` fills them from the settings of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Size of a message body, text and attachments together. A larger one is rejected.
    pub body_bytes_max: NonZeroUsize,
    /// Size of a WebSocket message or a polling request. A larger one closes the connection. It
    /// allows for bodies in which every character is an escape.
    pub frame_bytes_max: NonZeroUsize,
    /// Byte strings in one message. Official clients refuse packets with more than 10.
    pub attachments_max: usize,
    /// Rooms that a user may be a member of.
    pub rooms_per_user_max: NonZeroUsize,
    /// Spaces that one Socket.IO connection may be in.
    pub spaces_per_connection_max: NonZeroUsize,
    /// Messages in one page of history.
    pub history_messages_max: NonZeroU32,
    /// Missed messages sent to a reconnecting client. Past it the client pages history.
    pub recover_messages_max: u64,
    /// Recent messages of a conversation cached in memory for reconnecting clients, and with
    /// [`recovery`](Self::recovery) recent events of a connection.
    pub ring_messages_max: NonZeroUsize,
    /// Size of the cached messages of a conversation.
    pub ring_bytes_max: NonZeroUsize,
    /// Events queued for one connection. The next one closes it.
    pub outbox_events_max: NonZeroUsize,
    /// Size of the events queued for one connection.
    pub outbox_bytes_max: NonZeroUsize,
    /// Requests of one connection that wait to be handled. The next one closes it.
    pub inbox_requests_max: NonZeroUsize,
    /// Messages of all connections that wait to be stored. Past it senders wait.
    pub journal_messages_max: NonZeroUsize,
    /// Size of the messages that wait to be stored. Past it senders wait.
    pub journal_bytes_max: NonZeroU32,
    /// Announcements that wait to be published to other nodes, and as many received ones that wait
    /// to be handled. More are dropped and repaired from the store.
    pub bus_announcements_max: NonZeroUsize,
    /// Rate at which one connection may send messages, averaged over time.
    pub messages_per_second_max: NonZeroU32,
    /// Messages that one connection may send at once after a pause.
    pub messages_burst_max: NonZeroU32,
    /// Users of a room that are listed by name. A larger room receives counts.
    pub presence_list_max: usize,
    /// Members of a room up to which read receipts are delivered. A larger room receives none.
    pub receipts_members_max: usize,
    /// Time that a disconnected user stays present in a room, so that a page reload is not
    /// announced.
    pub presence_grace: Duration,
    /// Time in which a Socket.IO client that lost its transport may continue its connection. Zero turns
    /// connection state recovery off.
    pub recovery: Duration,
    /// Socket.IO namespaces that exist by pattern at one time. Past it new ones are refused. On
    /// `/ws` a space without users needs no memory.
    pub spaces_max: usize,
    /// Connections on this node. Past it new ones are refused.
    pub connections_max: usize,
    /// Answers of connections that a node waits for at one time, to all asks together. An ask that
    /// needs more is refused, or reported as incomplete by the node that asks.
    pub ask_answers_max: usize,
    /// Interval of pings to a silent connection.
    pub ping_interval: Duration,
    /// Time to answer a ping. Past it the connection is closed.
    pub ping_timeout: Duration,
    /// Time that an ask may wait for its answers. One that wants to wait longer is refused.
    pub ask_wait_max: Duration,
    /// Time that a socket may accept no bytes. Past it the connection is aborted.
    pub write_stall_max: Duration,
    /// Time from the accept of a connection, or the first byte of an HTTP request, to the end of the
    /// request's head.
    pub request_head_wait_max: Duration,
    /// Idle time of an HTTP connection between two requests. Past it the connection is closed.
    pub keep_alive_max: Duration,
    /// Time from the end of an HTTP request's head to the end of its body, and one second more for
    /// every 8 KiB that have arrived.
    pub request_body_wait_max: Duration,
}

impl Limits {
    /// How fast one connection may send messages.
    pub fn message_pace(&self) -> Pace {
        let Self { messages_per_second_max, messages_burst_max, .. } = *self;
        Pace { per_second_max: messages_per_second_max, burst_max: messages_burst_max }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: bound(512 << 10),
            frame_bytes_max: bound(4 << 20),
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
            recovery: Duration::ZERO,
            spaces_max: 1000,
            connections_max: 100_000,
            ask_answers_max: 100_000,
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            ask_wait_max: Duration::from_secs(30),
            write_stall_max: Duration::from_secs(10),
            request_head_wait_max: Duration::from_secs(30),
            keep_alive_max: Duration::from_secs(75),
            request_body_wait_max: Duration::from_secs(30),
        }
    }
}

/// A limit that is not zero.
const fn bound(size: usize) -> NonZeroUsize {
    NonZeroUsize::new(size).expect("the limits above are not zero")
}
