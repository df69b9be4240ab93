//! What differs between two versions of the settings, and which of it takes effect in a running server.

use super::{Config, TokenSettings, limits::Effect};

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
        let Config { token: _, limits: _, $($live,)+ $($fixed),+ } = $running;
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
            live: api_keys events log_filter origins rooms,
            restart: access_log admin backends bus clock_secs data devices drain_ms_max emitter form_sign_in
                forwarded_header guests listen log_format otlp paths postgres proxy_protocol
                retention spaces sqlite store tls trusted_proxies unix_socket_mode webhooks
                websocket_compression
        };
        let (before, after) = (&self.token, &wanted.token);
        if before.keys != after.keys {
            changes.live.push("token.keys");
        }
        if (TokenSettings { keys: Vec::new(), ..before.clone() })
            != (TokenSettings { keys: Vec::new(), ..after.clone() })
        {
            changes.restart.push("token");
        }
        for (key, effect) in self.limits.differing(&wanted.limits) {
            match effect {
                Effect::Live => changes.live.push(key),
                Effect::Restart => changes.restart.push(key),
            }
        }
        changes
    }

    /// Takes over what a running server can.
    pub fn take_live(&mut self, wanted: &Self) {
        self.api_keys.clone_from(&wanted.api_keys);
        self.log_filter.clone_from(&wanted.log_filter);
        self.origins.clone_from(&wanted.origins);
        self.rooms.clone_from(&wanted.rooms);
        self.events.clone_from(&wanted.events);
        self.token.keys.clone_from(&wanted.token.keys);
        self.limits.take_live(&wanted.limits);
    }
}

/// The names of those that are not equal.
fn differing<const N: usize>(all: [(&'static str, bool); N]) -> Vec<&'static str> {
    all.into_iter().filter(|(_, is_equal)| !is_equal).map(|(key, _)| key).collect()
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
            [rooms]\nread_only = [\"news\"]\n[limits]\nspaces_max = 7\nmessages_burst_max = 9\n[token]\nissuer = \"i\"";
        let (live, restart) = changes("", after);
        assert_eq!(live, ["log_filter", "origins", "rooms", "limits.messages_burst_max"]);
        assert_eq!(restart, ["clock_secs", "token", "limits.spaces_max"]);
    }

    #[test]
    fn keys_are_live_also_those_of_another_site() {
        let secret = "{ secret = \"a secret of thirty-two bytes, long\" }";
        let site = "{ jwks_url = \"https://id.example/keys\" }";
        let keys = |list: &str| format!("[token]\nkeys = [{list}]");
        let live = changes(&keys(secret), &keys(&format!("{site}, {secret}")));
        assert_eq!(live, (vec!["token.keys"], vec![]));
    }

    #[test]
    fn each_limit_is_taken_over_or_named_as_one_that_needs_a_restart() {
        let before = Config::default();
        let toml = toml::Table::try_from(&before).unwrap();
        let limits = toml["limits"].as_table().unwrap();
        for (key, value) in limits {
            let text = format!("[limits]\n{key} = {}", value.as_integer().unwrap() + 1);
            let after = Config::from_toml(&text).unwrap();
            let Changes { live, restart } = before.changes(&after);
            assert_eq!([live, restart.clone()].concat(), [format!("limits.{key}")]);
            let mut taken = before.clone();
            taken.take_live(&after);
            assert_eq!(taken == after, restart.is_empty(), "{key}");
        }
    }
}
