//! Opens the certificates of the settings.

use std::sync::Arc;

use super::{AppError, setting_error};
use crate::{clock::SystemClock, config::Config, tls::Certificates};

/// The certificates, if there are some.
pub(super) fn open(config: &Config) -> Result<Option<Arc<Certificates>>, AppError> {
    let files = config.tls.certificates.clone();
    let open = || Certificates::open(files, Arc::new(SystemClock));
    let is_empty = config.tls.certificates.is_empty();
    (!is_empty).then(open).transpose().map_err(setting_error("tls.certificates"))
}

/// Checks that all certificates can be served now.
pub fn check(config: &Config) -> Result<(), AppError> {
    open(config).map(drop)
}
