//! Connections chosen by their rooms, as servers of Socket.IO choose sockets.

use super::{ConnectionAddress, RoomName, Space};

/// Connections in a space: those in one of `rooms`, or all where `rooms` is empty, without those in
/// one of `except`. A connection in several of the rooms is chosen once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The space.
    pub space: Space,
    /// The rooms. Empty: all connections in the space.
    pub rooms: Vec<RoomSelector>,
    /// The rooms whose connections are left out.
    pub except: Vec<RoomSelector>,
}

/// What a name of a room means. With Socket.IO each connection is also alone in a room that is named
/// like its id, so a name may be that of a room and the address of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomSelector {
    /// The room. `None` if no room can have the name.
    pub room: Option<RoomName>,
    /// The connection with this address.
    pub connection: Option<ConnectionAddress>,
}

impl RoomSelector {
    /// Accepts any text. One that is neither a room nor an address selects no connection.
    pub fn parse(raw: &str) -> Self {
        Self { room: RoomName::parse(raw).ok(), connection: ConnectionAddress::parse(raw).ok() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_room_or_an_address_or_neither() {
        let lobby = RoomSelector::parse("lobby");
        assert_eq!((lobby.room, lobby.connection), (Some(RoomName::lobby()), None));
        let address = RoomSelector::parse("5f3a9c01.c1a").connection.map(|it| it.to_string());
        assert_eq!(address.as_deref(), Some("5f3a9c01.c1a"));
        for neither in ["", "\n", &"x".repeat(1000)] {
            let selector = RoomSelector::parse(neither);
            assert_eq!((selector.room, selector.connection), (None, None), "{neither:?}");
        }
    }
}
