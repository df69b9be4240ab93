//! The address of back ends, and the official Admin UI: `[admin]` and `[admin.ui]`.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{Config, choice, listen};
use crate::{
    auth::PasswordHash,
    domain::{AdminUiAccess, AdminUiMode, AdminUiRights, ListenAddress, Space},
};

/// The address of back ends, and the Admin UI.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdminSettings {
    /// The address that the HTTP API is moved to. `None`: it is on the address of clients.
    #[serde(serialize_with = "listen::write_admin", deserialize_with = "listen::read_admin")]
    pub listen: Option<ListenAddress>,
    /// The Admin UI.
    pub ui: AdminUiSettings,
}

/// The Admin UI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdminUiSettings {
    /// Whether it is served.
    #[serde(with = "choice")]
    pub enabled: AdminUiMode,
    /// Who may use it.
    #[serde(with = "choice")]
    pub auth: AdminUiAccess,
    /// The name of its user.
    pub username: String,
    /// The hash of its user's password.
    #[serde(serialize_with = "write_hash", deserialize_with = "read_hash")]
    pub password_hash: Option<PasswordHash>,
    /// Whether its user changes nothing.
    #[serde(with = "choice")]
    pub read_only: AdminUiRights,
}

impl AdminUiSettings {
    /// The namespace.
    pub const SPACE: &'static str = "/admin";
}

impl Default for AdminUiSettings {
    fn default() -> Self {
        Self {
            enabled: AdminUiMode::Off,
            auth: AdminUiAccess::Password,
            username: "admin".to_owned(),
            password_hash: None,
            read_only: AdminUiRights::Commands,
        }
    }
}

/// Why the settings of the Admin UI are invalid.
pub(super) fn problems(config: &Config) -> Vec<(&'static str, String)> {
    let ui = &config.admin.ui;
    let mut found = Vec::new();
    if ui.enabled == AdminUiMode::Off {
        return found;
    }
    if ui.auth == AdminUiAccess::Password && ui.password_hash.is_none() {
        let how =
            "htpasswd -nbBC 10 \"\" PASSWORD makes one; admin.ui.auth = \"none\" does without";
        found.push(("admin.ui.password_hash", format!("this is empty: {how}")));
    }
    if ui.auth == AdminUiAccess::Password && ui.username.is_empty() {
        found.push(("admin.ui.username", "this is empty".to_owned()));
    }
    let space = Space::from_raw(AdminUiSettings::SPACE);
    if config.spaces.iter().any(|pattern| pattern.exact().as_ref() == Some(&space)) {
        let reason = format!("{:?} is the Admin UI, which admin.ui.enabled serves", space.as_raw());
        found.push(("spaces", reason));
    }
    found
}

/// A warning about the settings of the Admin UI.
pub(super) fn warning(config: &Config) -> Option<String> {
    let ui = &config.admin.ui;
    let is_open = ui.enabled == AdminUiMode::On && ui.auth == AdminUiAccess::Everybody;
    is_open.then(|| {
        "admin.ui.auth = \"none\": every client that reaches the Admin UI may use it".to_owned()
    })
}

fn read_hash<'de, D: Deserializer<'de>>(input: D) -> Result<Option<PasswordHash>, D::Error> {
    let text = String::deserialize(input)?;
    (!text.is_empty()).then(|| PasswordHash::parse(&text)).transpose().map_err(D::Error::custom)
}

/// Settings are serialized only to list the valid keys, and there is no password by default.
#[expect(clippy::ref_option, reason = "serde hands in the field")]
fn write_hash<S: Serializer>(_hash: &Option<PasswordHash>, output: S) -> Result<S::Ok, S::Error> {
    output.serialize_str("")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$2y$04$vyBj7A47d8YPKlxMjh/xSORLMt8x25LeWR.4UNl1OYrBOjQxgsnXW";

    fn reason(text: &str) -> String {
        Config::from_toml(text).unwrap_err().to_string()
    }

    #[test]
    fn the_admin_ui_needs_a_password_or_an_explicit_choice() {
        let on = "[admin.ui]\nenabled = 'on'\n";
        let refused = reason(on);
        assert!(refused.contains("admin.ui.password_hash") && refused.contains("htpasswd"));
        let open = Config::from_toml(&format!("{on}auth = 'none'")).unwrap();
        assert!(open.warnings().iter().any(|it| it.contains("admin.ui.auth")));
        let config = Config::from_toml(&format!("{on}password_hash = '{HASH}'")).unwrap();
        assert_eq!(config.warnings(), Vec::<String>::new());
        assert!(!format!("{config:?}").contains(HASH));
        let nameless = format!("{on}password_hash = '{HASH}'\nusername = ''");
        assert!(reason(&nameless).contains("admin.ui.username"));
        assert!(Config::from_toml("[admin.ui]\nusername = ''").is_ok(), "it is off");
    }

    #[test]
    fn a_password_in_place_of_its_hash_is_not_repeated() {
        let refused = reason("[admin.ui]\npassword_hash = 'hunter2'");
        assert!(refused.contains("admin.ui.password_hash") && refused.contains("no bcrypt hash"));
        assert!(!refused.contains("hunter2"), "{refused}");
    }

    #[test]
    fn the_namespace_is_no_space_while_the_admin_ui_is_on() {
        let on = "[admin.ui]\nenabled = 'on'\nauth = 'none'";
        assert!(reason(&format!("spaces = ['/admin']\n{on}")).contains("admin.ui.enabled"));
        assert!(Config::from_toml(&format!("spaces = ['/*']\n{on}")).is_ok());
        assert!(Config::from_toml("spaces = ['/admin']").is_ok(), "it is off");
    }
}
