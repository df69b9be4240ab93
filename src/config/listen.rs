//! Where the server listens: `listen`, `admin.listen` and `unix_socket_mode`.

use std::{path::Path, str::FromStr as _};

use serde::{Deserialize, Deserializer, Serializer, de::Error as _};
use toml::Value;

use crate::domain::ListenAddress;

/// The longest path of a Unix socket, with room for the end of the name that it is created under.
const PATH_BYTES_MAX: usize = 100;

/// Parses one address or a list.
pub(super) fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<ListenAddress>, D::Error> {
    let texts = match Value::deserialize(input)? {
        Value::String(text) => vec![text],
        Value::Array(list) => list
            .into_iter()
            .map(|value| String::deserialize(value).map_err(|_error| "a list has texts alone"))
            .collect::<Result<_, _>>()
            .map_err(D::Error::custom)?,
        _ => return Err(D::Error::custom("this must be a text or a list of texts")),
    };
    if texts.is_empty() {
        return Err(D::Error::custom("the list is empty: the server would listen nowhere"));
    }
    let mut addresses = Vec::new();
    for text in &texts {
        let address = parse(text).map_err(D::Error::custom)?;
        let is_free_port = address.tcp().is_some_and(|it| it.port() == 0);
        if !is_free_port && addresses.contains(&address) {
            return Err(D::Error::custom(format!("{text:?} is there twice")));
        }
        addresses.push(address);
    }
    Ok(addresses)
}

/// One address is written as such: the settings are serialized to list the valid keys.
pub(super) fn write<S: Serializer>(
    addresses: &[ListenAddress],
    output: S,
) -> Result<S::Ok, S::Error> {
    match addresses {
        [address] => output.collect_str(address),
        addresses => output.collect_seq(addresses.iter().map(ToString::to_string)),
    }
}

/// Parses an address of back ends, or nothing for an empty text.
pub(super) fn read_admin<'de, D: Deserializer<'de>>(
    input: D,
) -> Result<Option<ListenAddress>, D::Error> {
    let text = String::deserialize(input)?;
    match parse(&text) {
        _ if text.is_empty() => Ok(None),
        Ok(address) => Ok(Some(address)),
        Err(reason) => Err(D::Error::custom(reason)),
    }
}

#[expect(clippy::ref_option, reason = "serde hands in the field")]
pub(super) fn write_admin<S: Serializer>(
    address: &Option<ListenAddress>,
    output: S,
) -> Result<S::Ok, S::Error> {
    match address {
        Some(address) => output.collect_str(address),
        None => output.serialize_str(""),
    }
}

/// Parses the mode of a file, in octal digits.
pub(super) fn read_mode<'de, D: Deserializer<'de>>(input: D) -> Result<u32, D::Error> {
    let text = String::deserialize(input)?;
    let mode = u32::from_str_radix(&text, 8).ok().filter(|mode| *mode <= 0o777);
    mode.filter(|_| !text.starts_with('+')).ok_or_else(|| {
        D::Error::custom(format!("{text:?} is no mode of a file in octal digits, such as 660"))
    })
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands in the field")]
pub(super) fn write_mode<S: Serializer>(mode: &u32, output: S) -> Result<S::Ok, S::Error> {
    output.collect_str(&format_args!("{mode:o}"))
}

fn parse(text: &str) -> Result<ListenAddress, String> {
    if text == ListenAddress::INHERITED {
        return Ok(ListenAddress::Inherited);
    }
    if let Some(path) = text.strip_prefix(ListenAddress::UNIX) {
        if path.is_empty() || path.ends_with('/') || path.contains('\0') {
            return Err(format!(
                "{text:?} names no file, as unix:/run/roomcast/roomcast.sock does"
            ));
        }
        if path.len() > PATH_BYTES_MAX {
            let most = PATH_BYTES_MAX;
            return Err(format!("the path of a Unix socket has at most {most} bytes: {text:?}"));
        }
        return Ok(ListenAddress::Unix(Path::new(path).to_owned()));
    }
    std::net::SocketAddr::from_str(text).map(ListenAddress::Tcp).map_err(|error| {
        let form = "an IP address and a port, such as 127.0.0.1:3000 or [::]:3000";
        format!("{text:?} is not {form}, nor unix:/PATH, nor systemd ({error})")
    })
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Sources, sources::Flag};

    fn listen(value: &str) -> Result<Vec<String>, String> {
        let config = Config::from_toml(&format!("listen = {value}"));
        let config = config.map_err(|problems| problems.to_string())?;
        Ok(config.listen.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn one_address_or_a_list_is_read() {
        assert_eq!(listen("'[::]:3000'").unwrap(), ["[::]:3000"]);
        let list = "['0.0.0.0:80', '[::]:80', 'unix:/run/roomcast.sock', 'unix:here', 'systemd']";
        let expected = ["0.0.0.0:80", "[::]:80", "unix:/run/roomcast.sock", "unix:here", "systemd"];
        assert_eq!(listen(list).unwrap(), expected);
        assert_eq!(listen("['127.0.0.1:0', '127.0.0.1:0']").unwrap().len(), 2);
        for text in ["127.0.0.1:1,unix:/a", "['127.0.0.1:1', 'unix:/a']"] {
            let flag = Flag { name: "--listen", key: "listen".to_owned(), value: text.to_owned() };
            let config = Sources::default().flags([flag]).config().unwrap();
            assert_eq!(config.listen.len(), 2, "{text}");
        }
    }

    #[test]
    fn an_address_that_cannot_work_is_refused_with_the_reason() {
        let long = format!("'unix:/{}'", "x".repeat(100));
        for (value, why) in [
            ("[]", "the list is empty"),
            ("3000", "this must be a text or a list of texts"),
            ("[3000]", "a list has texts alone"),
            ("'localhost:80'", "is not an IP address and a port"),
            ("'127.0.0.1'", "is not an IP address and a port"),
            ("['127.0.0.1:80', '127.0.0.1:80']", "\"127.0.0.1:80\" is there twice"),
            ("['systemd', 'systemd']", "is there twice"),
            ("'unix:'", "names no file"),
            ("'unix:/run/'", "names no file"),
            (&*long, "has at most 100 bytes"),
        ] {
            let reason = listen(value).unwrap_err();
            assert!(reason.contains(why), "{value}: {reason}");
        }
    }

    #[test]
    fn the_address_of_back_ends_is_one_and_another() {
        for (text, why) in [
            (
                "listen = ['127.0.0.1:1', 'unix:/a']\nadmin.listen = 'unix:/a'",
                "the address of clients",
            ),
            ("admin.listen = ['127.0.0.1:1']", "this must be a text"),
        ] {
            let reason = Config::from_toml(text).unwrap_err().to_string();
            assert!(reason.contains(why), "{text}: {reason}");
        }
        let config = Config::from_toml("admin.listen = 'unix:/a'").unwrap();
        assert_eq!(config.admin.listen.unwrap().to_string(), "unix:/a");
    }

    #[test]
    fn a_mode_has_octal_digits() {
        let mode = |text: &str| Config::from_toml(&format!("unix_socket_mode = {text}"));
        assert_eq!(mode("'600'").unwrap().unix_socket_mode, 0o600);
        for text in ["'rw'", "'888'", "'1777'", "''", "'+600'", "660"] {
            assert!(mode(text).is_err(), "{text}");
        }
    }
}
