//! Commands of the Admin UI: they concern connections of any node.
//!
//! A user's connections are in the rooms that the user is a member of. So a command about the rooms of
//! such a connection changes the membership of its user. An anonymous connection is put in a room alone,
//! as Redis emitters do it.

use std::collections::BTreeSet;

use tracing::info;

use super::{AdminSocket, SOCKETS_SHOWN_MAX};
use crate::{
    chat::{
        ActionResult, Chat,
        actions::Actor,
        hub::ConnectionsOutcome,
        ports::{Action, ClusterCommand, DisconnectTarget, EmitTarget, MemberChange, Placing},
    },
    domain::{
        AfterDisconnect, Channel, ConnectionId, CustomEvent, EventStorage, JoinMode,
        PassingDelivery, Rejection, RoomName, RoomSelector, Space,
    },
};

/// The most connections that one command concerns.
const TARGETS_MAX: usize = 1000;
/// The most pages of connections that a command searches.
const PAGES_MAX: usize = 200;

const TOO_MANY: Rejection =
    Rejection::BadRequest("the command is about more than 1000 connections");

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminRequest {
    /// The space of the connections.
    pub space: Space,
    /// The room or the address that they have. `None`: all in the space.
    pub filter: Option<RoomSelector>,
    /// What happens to them.
    pub command: AdminCommand,
}

/// What happens to connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminCommand {
    /// They receive an event of the application.
    Emit(CustomEvent),
    /// They are in a room from now on.
    Join(RoomName),
    /// They are not in a room any more.
    Leave(RoomName),
    /// They are closed, and their clients do not reconnect.
    Disconnect,
}

impl AdminCommand {
    /// The name in the log.
    fn name(&self) -> &'static str {
        match self {
            Self::Emit(_) => "emit",
            Self::Join(_) => "join",
            Self::Leave(_) => "leave",
            Self::Disconnect => "disconnect",
        }
    }
}

impl Chat {
    /// Does what a user of the Admin UI asks for. Of several memberships each changes or not.
    pub async fn perform_for_admin(&self, request: AdminRequest) -> Result<(), Rejection> {
        let AdminRequest { space, filter, command } = request;
        if self.is_draining() {
            return Err(Rejection::Draining);
        }
        if !self.has_space(&space) {
            return Err(Rejection::UnknownSpace);
        }
        let name = command.name();
        let count = match command {
            AdminCommand::Emit(event) => self.emit_for_admin(&space, filter, event).await?,
            AdminCommand::Join(room) => {
                let targets = self.targets(&space, filter.as_ref()).await?;
                let outside = targets.into_iter().filter(|it| !it.open.rooms.contains(&room));
                self.place_all((&space, &room), outside.collect(), Placing::In).await?
            }
            AdminCommand::Leave(room) => {
                let targets = self.targets(&space, filter.as_ref()).await?;
                let inside = targets.into_iter().filter(|it| it.open.rooms.contains(&room));
                self.place_all((&space, &room), inside.collect(), Placing::Out).await?
            }
            AdminCommand::Disconnect => self.disconnect_for_admin(&space, filter.as_ref()).await?,
        };
        info!(command = name, space = space.as_raw(), connections = count, "admin UI command");
        Ok(())
    }

    async fn emit_for_admin(
        &self,
        space: &Space,
        filter: Option<RoomSelector>,
        event: CustomEvent,
    ) -> Result<usize, Rejection> {
        let to = match filter {
            None => EmitTarget::Space,
            Some(RoomSelector { connection: Some(address), .. }) => EmitTarget::Connection(address),
            Some(RoomSelector { room: Some(room), .. }) => EmitTarget::Room(room),
            Some(RoomSelector { room: None, connection: None }) => return Ok(0),
        };
        let storage = EventStorage::Passing(PassingDelivery::Reliable);
        let emit = Action::Emit { event, to, except: None, storage, id: None };
        self.perform_in(space, vec![emit]).await
    }

    async fn disconnect_for_admin(
        &self,
        space: &Space,
        filter: Option<&RoomSelector>,
    ) -> Result<usize, Rejection> {
        let disconnect = |it: AdminSocket| {
            let target = DisconnectTarget::Connection(it.open.address);
            Action::Disconnect(target, AfterDisconnect::StayAway)
        };
        let targets = self.targets(space, filter).await?;
        self.perform_in(space, targets.into_iter().map(disconnect).collect()).await
    }

    /// Performs actions. Returns the first refusal, after all of them.
    async fn perform_in(&self, space: &Space, actions: Vec<Action>) -> Result<usize, Rejection> {
        let (user, guest_session, connection) = (None, None, ConnectionId::NONE);
        let actor = Actor { space, user, guest_session, connection };
        first_refusal(self.perform(&actor, actions).await)
    }

    /// Puts connections in a room, or takes them out.
    async fn place_all(
        &self,
        (space, room): (&Space, &RoomName),
        connections: Vec<AdminSocket>,
        placing: Placing,
    ) -> Result<usize, Rejection> {
        let users: BTreeSet<_> = connections.iter().filter_map(|it| it.open.user.clone()).collect();
        let count = connections.len();
        for AdminSocket { space: _, open } in connections {
            // A connection may have been put in the room before it was somebody's.
            if open.user.is_some() && placing == Placing::In {
                continue;
            }
            let (space, address, room) = (space.clone(), open.address, room.clone());
            let command = ClusterCommand::PlaceConnection { space, address, room, placing };
            self.hub.apply_command(&command, self.clock.now());
            self.hub.publisher.publish_command(Channel::BROADCAST, command);
        }
        let change = match placing {
            Placing::In => {
                MemberChange::Join(JoinMode::As(self.rules.rooms.get().default_role(room)))
            }
            Placing::Out => MemberChange::Leave,
        };
        let users = users.into_iter().collect();
        first_refusal(self.change_members((space, room), users, change).await)?;
        Ok(count)
    }

    /// The connections that a command concerns.
    async fn targets(
        &self,
        space: &Space,
        filter: Option<&RoomSelector>,
    ) -> Result<Vec<AdminSocket>, Rejection> {
        let is_meant = |socket: &AdminSocket| {
            filter.is_none_or(|RoomSelector { room, connection }| {
                connection.as_ref() == Some(&socket.open.address)
                    || room.as_ref().is_some_and(|room| socket.open.rooms.contains(room))
            })
        };
        let (mut targets, mut after) = (Vec::new(), None);
        for _page in 0..PAGES_MAX {
            let ConnectionsOutcome { first, complete: _ } =
                self.next_page(space, after.take()).await?;
            let is_last = first.connections.len() < SOCKETS_SHOWN_MAX;
            after = first.connections.last().map(|it| it.address.clone());
            let sockets = first.connections.into_iter().map(|open| {
                let space = space.clone();
                AdminSocket { space, open }
            });
            targets.extend(sockets.filter(is_meant));
            if targets.len() > TARGETS_MAX {
                break;
            }
            if is_last {
                return Ok(targets);
            }
        }
        Err(TOO_MANY)
    }
}

/// How many were done, or why one was not.
fn first_refusal(results: Vec<Result<ActionResult, Rejection>>) -> Result<usize, Rejection> {
    let count = results.len();
    results.into_iter().try_for_each(|it| it.map(drop)).map(|()| count)
}
