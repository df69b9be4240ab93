//! Opens the back ends that the settings name.

use std::{fs, path::Path, sync::Arc, time::Duration};

use super::{AppError, setting_error};
use crate::{
    backend::{HttpBackend, HttpBackendOptions, MeasuredBackend, SigningSecret},
    chat::{Backends, OnFailure, RegisteredBackend, ports::Backend},
    clock::{RandomIds, SystemClock},
    config::Config,
    domain::{BackendName, EventRules, Hook, Secret},
    http_client::http_client,
    telemetry::metrics::ProcessMetrics,
};

/// The setting in errors.
const KEY: &str = "backends";

/// The back ends of the settings, and `own` ones of the program that embeds the server.
pub(super) fn open(
    config: &Config,
    own: Vec<(BackendName, Arc<dyn Backend>)>,
) -> Result<Backends, AppError> {
    let schemes = config.backends.iter().map(|it| it.url.expose().scheme_str());
    let client = http_client(schemes).map_err(setting_error(KEY))?;
    let limits = Arc::new(config.limits());
    let mut all: Vec<_> = own
        .into_iter()
        .map(|(name, backend)| {
            // It accepts what it has no decision for.
            let hooks = [Hook::Connect, Hook::Message, Hook::Join, Hook::Invite].into();
            let on_failure = OnFailure::Refuse;
            (name, RegisteredBackend { backend, on_failure, hooks, headers: Arc::from([]) })
        })
        .collect();
    for settings in &config.backends {
        let options = HttpBackendOptions {
            name: settings.name.clone(),
            url: settings.url.expose().to_string(),
            secrets: signing_secrets(
                KEY,
                settings.name.as_raw(),
                (settings.secret_file.as_deref(), &settings.secrets),
            )?,
            timeout: Duration::from_millis(settings.timeout_ms),
            in_flight_max: settings.in_flight_max,
            limits: Arc::clone(&limits),
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds),
        };
        let on_failure =
            if settings.allows_on_failure { OnFailure::Allow } else { OnFailure::Refuse };
        let headers = settings.headers.iter().map(|it| it.as_str().into()).collect();
        let backend = Arc::new(HttpBackend::new(client.clone(), options));
        let hooks = settings.hooks.clone();
        let registered = RegisteredBackend { backend, on_failure, hooks, headers };
        all.push((settings.name.clone(), registered));
    }
    let backends = Backends::new(all);
    check_rules(&config.events, &backends)?;
    Ok(backends)
}

/// Checks that the back ends which rules for events name are there.
pub(super) fn check_rules(events: &EventRules, backends: &Backends) -> Result<(), AppError> {
    match events.backends().find(|name| !backends.has(*name)) {
        Some(Some(name)) => {
            Err(error("events", format!("there is no back end {:?}", name.as_raw())))
        }
        Some(None) => {
            let reason = "`to = \"backend\"` needs `backend`, unless there is exactly one back end";
            Err(error("events", reason.to_owned()))
        }
        None => Ok(()),
    }
}

/// The same back ends. Their calls are counted.
pub(super) fn measured(backends: Backends, metrics: &Arc<ProcessMetrics>) -> Backends {
    backends.map(|name, engine| {
        let metrics = Arc::<ProcessMetrics>::clone(metrics);
        Arc::new(MeasuredBackend::new(engine, name.clone(), metrics))
    })
}

/// The secrets of a back end or webhook: those in a file, one per line, or those in the settings. No
/// error repeats one.
pub(super) fn signing_secrets(
    key: &'static str,
    name: &str,
    (file, secrets): (Option<&Path>, &[Secret]),
) -> Result<Vec<SigningSecret>, AppError> {
    let texts: Vec<_> = if let Some(path) = file {
        let text = fs::read_to_string(path)
            .map_err(|failure| error(key, format!("{}: {failure}", path.display())))?;
        text.lines().map(str::to_owned).collect()
    } else {
        let secrets = secrets.iter();
        secrets.map(|it| String::from_utf8_lossy(it.expose()).into_owned()).collect()
    };
    let parse = |text: &String| {
        SigningSecret::parse(text).map_err(|invalid| error(key, format!("{name:?}: {invalid}")))
    };
    texts.iter().map(parse).collect()
}

fn error(key: &'static str, reason: String) -> AppError {
    AppError::Setting { key, reason }
}
