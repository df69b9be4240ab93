//! Reads the list of denials from the store when changes of it were lost, or may have been.

use std::collections::BTreeSet;

use crate::{
    chat::{cluster::Cluster, ports::Fault},
    domain::Channel,
};

impl Cluster {
    /// Schedules a comparison of the list with the store at once.
    pub(crate) fn check_denials_soon(&self) {
        self.lock().dirty_channels.channels.insert(Channel::BROADCAST);
        self.publisher.wake();
    }

    /// Schedules it if a change is missing. What is only late has arrived by the next tick.
    pub(super) fn check_for_missing_denials(&self) {
        if self.hub.denials.is_behind() {
            self.lock().dirty_channels.channels.insert(Channel::BROADCAST);
        }
    }

    /// Reads the list, if it has changed. Its announcements come on the channel of all nodes.
    pub(super) async fn check_denials(
        &self,
        channels: Option<&BTreeSet<Channel>>,
    ) -> Result<(), Fault> {
        let known = self.hub.denials.number();
        let is_meant = channels.is_none_or(|it| it.contains(&Channel::BROADCAST));
        if is_meant && self.store.denials_number().await? != known {
            let list = self.store.denials().await?;
            self.hub.replace_denials(known, list, self.clock.now());
        }
        Ok(())
    }
}
