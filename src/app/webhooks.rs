//! Opens the webhooks that the settings name.

use std::{sync::Arc, time::Duration};

use super::{AppError, backends::signing_secrets, setting_error};
use crate::{
    backend::HttpWebhook,
    chat::{WebhookParts, WebhookTarget, ports::WebhookOutbox},
    clock::SystemClock,
    config::{Config, WebhookSettings},
    domain::WebhookRules,
    http_client::http_client,
};

/// The setting in errors.
const KEY: &str = "webhooks";

/// The targets of the webhooks of the settings.
pub(super) fn targets(config: &Config) -> Result<Vec<WebhookTarget>, AppError> {
    if config.webhooks.is_empty() {
        return Ok(Vec::new());
    }
    let schemes = config.webhooks.iter().map(|it| it.url.expose().scheme_str());
    let client = http_client(schemes).map_err(setting_error(KEY))?;
    let target = |settings: &WebhookSettings| {
        let name = &settings.rule.name;
        let given = (settings.secret_file.as_deref(), &settings.secrets[..]);
        let secrets = signing_secrets(KEY, name.as_raw(), given)?;
        let timeout = Duration::from_millis(settings.timeout_ms);
        let address = (client.clone(), settings.url.expose().to_string());
        Ok(WebhookTarget {
            name: name.clone(),
            receiver: Arc::new(HttpWebhook::new(address, secrets, timeout, Arc::new(SystemClock))),
            in_flight_max: settings.in_flight_max,
            batch_max: settings.batch_max,
            retry_max: Duration::from_secs(settings.retry_secs_max),
        })
    };
    config.webhooks.iter().map(target).collect()
}

/// The webhooks of the settings, if there are any, with their outbox.
pub(super) fn parts(
    config: &Config,
    targets: Vec<WebhookTarget>,
    outbox: Arc<dyn WebhookOutbox>,
) -> Option<WebhookParts> {
    let rules = config.webhooks.iter().map(|it| it.rule.clone()).collect();
    let rules = Arc::new(WebhookRules::new(rules));
    (!targets.is_empty()).then_some(WebhookParts { outbox, rules, targets })
}
