//! Opens the token engine that the settings describe.

use std::{path::PathBuf, sync::Arc, time::Duration};

use super::{AppError, setting_error};
use crate::{
    auth::{self, KeyTokens, Keys, TokenError, TokenRules},
    chat::ports::{Claims, Clock as _, Fault},
    clock::SystemClock,
    config::{Config, TokenSettings},
    domain::{self, Secret},
};

/// The engine. Its own key is in the data directory unless the settings have one.
pub fn open(config: &Config) -> Result<KeyTokens, AppError> {
    engine(config, |config| auth::load_or_create_key(&config.data).map_err(setting_error("data")))
}

/// Checks that all keys are usable, without creating or fetching one.
pub fn check(config: &Config) -> Result<(), AppError> {
    let TokenSettings { secret, secret_file, .. } = &config.token;
    if !secret_file.as_os_str().is_empty() {
        auth::read_key_file(secret_file).map_err(setting_error("token.secret_file"))?;
    } else if secret.is_empty() {
        auth::load_or_generate_key(&config.data).map_err(setting_error("data"))?;
    }
    other_keys(&config.token).map(drop)
}

/// Verifies `token` now. If the reason of a refusal may be a failed fetch of keys, the error has
/// that, too. Creates no files.
pub fn verify_token(
    config: &Config,
    token: &domain::Token,
) -> Result<Result<Claims, VerifyError>, AppError> {
    let tokens = engine(config, |config| {
        auth::load_or_generate_key(&config.data).map_err(setting_error("data"))
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Fault::new("runtime start failed", error))?;
    let result = runtime.block_on(async {
        tokio::select! {
            result = tokens.verify(token, SystemClock.now()) => result,
            never = tokens.fetch_sets() => match never {},
        }
    });
    // A pending DNS lookup is not awaited.
    runtime.shutdown_background();
    Ok(result.map_err(|reason| {
        let missing = missing_key_path(config).map(|path| {
            format!("there is no {}: no token is of the server's own key", path.display())
        });
        let sources = tokens.sources();
        let key_problems = sources.iter().filter_map(|source| source.fetch_error());
        VerifyError { reason, key_problems: missing.into_iter().chain(key_problems).collect() }
    }))
}

/// The path at which the server's own key would be created, if it does not exist yet.
pub fn missing_key_path(config: &Config) -> Option<PathBuf> {
    let TokenSettings { secret, secret_file, .. } = &config.token;
    let path = config.data.join(auth::FILE);
    let in_data = secret.is_empty() && secret_file.as_os_str().is_empty();
    (in_data && !path.exists()).then_some(path)
}

/// Why a token is refused, with possible causes.
#[derive(Debug)]
pub struct VerifyError {
    /// The reason.
    pub reason: TokenError,
    /// The keys that could not be loaded.
    pub key_problems: Vec<String>,
}

fn engine(
    config: &Config,
    in_data: impl FnOnce(&Config) -> Result<Secret, AppError>,
) -> Result<KeyTokens, AppError> {
    let TokenSettings { secret, secret_file, issuer, audience, leeway_secs, .. } = &config.token;
    let own = if !secret.is_empty() {
        secret.clone()
    } else if secret_file.as_os_str().is_empty() {
        in_data(config)?
    } else {
        auth::read_key_file(secret_file).map_err(setting_error("token.secret_file"))?
    };
    let rules = TokenRules {
        issuer: (!issuer.is_empty()).then(|| issuer.as_str().into()),
        audience: audience.iter().map(|it| it.as_str().into()).collect(),
        leeway: time::Duration::seconds(leeway_secs.cast_signed()),
    };
    Ok(KeyTokens::new(&own, Arc::new(SystemClock)).with(other_keys(&config.token)?, rules))
}

/// The keys besides the server's own.
pub(super) fn other_keys(settings: &TokenSettings) -> Result<Keys, AppError> {
    let refresh = Duration::from_secs(settings.jwks_refresh_secs);
    Keys::open(&settings.keys, refresh).map_err(setting_error("token.keys"))
}
