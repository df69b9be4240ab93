//! Settings that change while the server runs.
//!
//! The parts that can change read what they need from a [`Replaceable`](crate::chat::Replaceable) for
//! each request, and are replaced here alone. Everything that can fail is done before the first
//! replacement, so a bad file changes nothing.

use std::sync::Arc;

use parking_lot::Mutex;
use tracing::{error, info, warn};

use super::{
    AppError, Server, api_key_entries, backends, origin_texts, request_rules, setting_error,
    tokens::other_keys,
};
use crate::{
    auth::{HashedApiKeys, KeyTokens},
    chat::{Replaceable, RequestRules},
    config::{Changes, Config, Problems},
    domain::RoomRules,
    telemetry::LogFilter,
    tls::Certificates,
    transport::origin::Origins,
};

/// Where a running server finds new settings.
pub struct ReloadSource<'a> {
    /// Reads all sources of settings again.
    pub read: &'a (dyn Fn() -> Result<Config, Problems> + Sync),
    /// The filter of the log of this process.
    pub log_filter: LogFilter,
}

impl std::fmt::Debug for ReloadSource<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReloadSource").finish_non_exhaustive()
    }
}

/// The parts of a server that take over new settings.
#[derive(Debug)]
pub(super) struct LiveParts {
    pub(super) api_keys: Arc<HashedApiKeys>,
    pub(super) origins: Arc<Origins>,
    pub(super) rooms: Replaceable<RoomRules>,
    pub(super) requests: Replaceable<RequestRules>,
    pub(super) tokens: Arc<KeyTokens>,
    pub(super) certificates: Option<Arc<Certificates>>,
    /// The settings that are in effect. In a box, because servers are moved.
    pub(super) config: Mutex<Box<Config>>,
}

impl Server {
    /// Takes over what can change in a running server, and returns what differs. After an error
    /// nothing has changed. The log filter belongs to the process and is not touched.
    pub fn reload(&self, wanted: &Config) -> Result<Changes, AppError> {
        let mut running = self.live.config.lock();
        let changes = running.changes(wanted);
        let mut next = running.clone();
        next.take_live(wanted);
        self.check_mixture(&next)?;
        // Files are read also if their names are the same: that is how keys are rotated.
        let keys = other_keys(&next.token)?;
        let certificates = self.live.certificates.as_ref();
        let read = certificates.map_or(Ok(()), |it| it.reload());
        read.map_err(setting_error("tls.certificates"))?;
        self.live.tokens.replace_keys(keys);
        self.live.api_keys.replace(api_key_entries(wanted));
        self.live.origins.replace(origin_texts(wanted));
        self.live.rooms.replace(wanted.rooms());
        if running.events != next.events || running.limits != next.limits {
            self.live.requests.replace(request_rules(&next));
        }
        *running = next;
        Ok(changes)
    }

    /// Refuses new settings that do not fit to those that need a restart.
    fn check_mixture(&self, next: &Config) -> Result<(), AppError> {
        if let Some((key, reason)) = next.problems().into_iter().next() {
            let reason = format!("{reason}, with the settings that need a restart");
            return Err(AppError::Setting { key, reason });
        }
        backends::check_rules(&next.events, self.chat.backends())
    }

    /// Reads the settings again, and logs what came of it.
    pub(super) fn reload_from(&self, source: &ReloadSource<'_>) {
        let wanted = match (source.read)() {
            Ok(wanted) => wanted,
            Err(problems) => return error!(error = %problems, "settings not reloaded"),
        };
        match self.reload(&wanted) {
            Ok(Changes { live, restart }) => {
                if live.contains(&"log_filter")
                    && let Err(invalid) = source.log_filter.replace(&wanted.log_filter)
                {
                    error!(error = %invalid, "log filter not reloaded");
                }
                info!(settings.changed = live.join(", "), "settings reloaded");
                if !restart.is_empty() {
                    let settings = restart.join(", ");
                    warn!(settings.changed = settings, "settings changed that need a restart");
                }
            }
            Err(failure) => error!(error = %failure, "settings not reloaded"),
        }
    }
}
