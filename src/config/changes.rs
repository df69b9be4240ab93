//! What differs between two versions of the settings, and which of it takes effect in a running server.

use super::{Config, TokenSettings};
use crate::auth::{KeyLocation, KeyOptions};

/// The keys that differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Those that a running server takes over.
    pub live: Vec<&'static str>,
    /// Those that need a restart.
    pub restart: Vec<&'static str>,
}

/// Compares all settings. A new one does not compile until it is in one of the lists.
macro_rules! compare {
    ($running:ident, $wanted:ident, live: $($live:ident)+, restart: $($fixed:ident)+) => {{
        let Config { token: _, $($live,)+ $($fixed),+ } = $running;
        Changes {
            live: differing([$((stringify!($live), *$live == $wanted.$live)),+]),
            restart: differing([$((stringify!($fixed), *$fixed == $wanted.$fixed)),+]),
        }
    }};
}

impl Config {
    /// What changes if a server with these settings takes over those of `wanted`.
    pub fn changes(&self, wanted: &Self) -> Changes {
        let running = self;
        let mut changes = compare! {
            running, wanted,
            live: api_keys log_filter origins rooms,
            restart: access_log admin backends bus clock_secs data devices drain_ms_max emitter events form_sign_in
                forwarded_header guests limits listen log_format paths postgres proxy_protocol
                retention spaces sqlite store tls trusted_proxies unix_socket_mode webhooks
                websocket_compression
        };
        let (before, after) = (&self.token, &wanted.token);
        if before.keys != after.keys {
            // A task per site fetches the published keys.
            let is_live = sites(&before.keys).eq(sites(&after.keys));
            if is_live { &mut changes.live } else { &mut changes.restart }.push("token.keys");
        }
        if (TokenSettings { keys: Vec::new(), ..before.clone() })
            != (TokenSettings { keys: Vec::new(), ..after.clone() })
        {
            changes.restart.push("token");
        }
        changes
    }

    /// Takes over what a running server can.
    pub fn take_live(&mut self, wanted: &Self, changes: &Changes) {
        self.api_keys.clone_from(&wanted.api_keys);
        self.log_filter.clone_from(&wanted.log_filter);
        self.origins.clone_from(&wanted.origins);
        self.rooms.clone_from(&wanted.rooms);
        if changes.live.contains(&"token.keys") {
            self.token.keys.clone_from(&wanted.token.keys);
        }
    }
}

/// The names of those that are not equal.
fn differing<const N: usize>(all: [(&'static str, bool); N]) -> Vec<&'static str> {
    all.into_iter().filter(|(_, is_equal)| !is_equal).map(|(key, _)| key).collect()
}

/// Where keys are published.
fn sites(keys: &[KeyOptions]) -> impl Iterator<Item = &KeyLocation> {
    let locations = keys.iter().map(|it| &it.location);
    locations.filter(|it| matches!(it, KeyLocation::JwksUrl(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(before: &str, after: &str) -> (Vec<&'static str>, Vec<&'static str>) {
        let [before, after] = [before, after].map(|text| Config::from_toml(text).unwrap());
        let Changes { live, restart } = before.changes(&after);
        (live, restart)
    }

    #[test]
    fn equal_settings_change_nothing() {
        assert_eq!(changes("clock_secs = 1", "clock_secs = 1"), (vec![], vec![]));
    }

    #[test]
    fn each_change_is_named_with_what_it_needs() {
        let after = "origins = [\"https://a.example\"]\nlog_filter = \"debug\"\nclock_secs = 1\n\
            [rooms]\nread_only = [\"news\"]\n[limits]\nspaces_max = 7\n[token]\nissuer = \"i\"";
        let (live, restart) = changes("", after);
        assert_eq!(live, ["log_filter", "origins", "rooms"]);
        assert_eq!(restart, ["clock_secs", "limits", "token"]);
    }

    #[test]
    fn keys_are_live_unless_another_site_publishes_them() {
        let secret = "{ secret = \"a secret of thirty-two bytes, long\" }";
        let site = "{ jwks_url = \"https://id.example/keys\" }";
        let keys = |list: &str| format!("[token]\nkeys = [{list}]");
        let live = changes(&keys(site), &keys(&format!("{site}, {secret}")));
        assert_eq!(live, (vec!["token.keys"], vec![]));
        let restart = changes(&keys(secret), &keys(&format!("{site}, {secret}")));
        assert_eq!(restart, (vec![], vec!["token.keys"]));
    }
}
