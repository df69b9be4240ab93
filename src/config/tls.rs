//! What TLS connections are accepted with: `[tls]`.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use toml::Value;

use crate::tls::CertificateFiles;

/// What TLS connections are accepted with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsSettings {
    /// The files of certificates. Empty: no TLS.
    #[serde(serialize_with = "write", deserialize_with = "read")]
    pub certificates: Vec<CertificateFiles>,
}

/// The files of a certificate as they are written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FilesTable {
    cert: PathBuf,
    key: PathBuf,
}

fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<CertificateFiles>, D::Error> {
    let values = Vec::<Value>::deserialize(input)?.into_iter().enumerate();
    let files = |(place, value): (usize, Value)| {
        let failed =
            |reason: &str| D::Error::custom(format!("certificate {}: {reason}", place + 1));
        if !value.is_table() {
            return Err(failed("must be a table, such as { cert = \"a.pem\", key = \"a.key\" }"));
        }
        let table = FilesTable::deserialize(value).map_err(|error| failed(error.message()))?;
        let FilesTable { cert, key } = table;
        Ok(CertificateFiles { cert, key })
    };
    values.map(files).collect()
}

/// Settings are serialized only to list the valid keys, and there are no certificates by default.
fn write<S: Serializer>(files: &[CertificateFiles], output: S) -> Result<S::Ok, S::Error> {
    debug_assert!(files.is_empty(), "only defaults are written");
    output.collect_seq(std::iter::empty::<&str>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn certificates(list: &str) -> Result<Vec<CertificateFiles>, String> {
        let config = Config::from_toml(&format!("tls.certificates = {list}"));
        config.map(|it| it.tls.certificates).map_err(|problems| problems.to_string())
    }

    #[test]
    fn certificates_have_two_files_each() {
        let files = |name: &str| CertificateFiles {
            cert: format!("{name}.pem").into(),
            key: format!("{name}.key").into(),
        };
        let list = "[{ cert = 'a.pem', key = 'a.key' }, { cert = 'b.pem', key = 'b.key' }]";
        assert_eq!(certificates(list).unwrap(), [files("a"), files("b")]);
        for (list, why) in [
            ("['a.pem']", "certificate 1: must be a table"),
            ("[{ cert = 'a.pem' }]", "certificate 1: missing field `key`"),
            (
                "[{ cert = 'a', key = 'b' }, { cert = 'a', key = 'b', chain = 'c' }]",
                "certificate 2: unknown field `chain`",
            ),
            ("'a.pem'", "this must be a list of tables"),
        ] {
            let reason = certificates(list).unwrap_err();
            assert!(reason.contains(why), "{list}: {reason}");
        }
    }
}
