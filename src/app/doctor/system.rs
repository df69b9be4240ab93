//! Limits of the process and settings of the kernel.

use std::{fs, path::Path};

use super::Finding;
use crate::{config::Config, telemetry};

/// Files besides those of connections: the database, listeners, requests to back ends.
const FILES_BESIDES: u64 = 500;

/// A setting of the kernel: its file, the least value, and what a lower one causes.
const KERNEL: [(&str, &str, u64, &str); 2] = [
    (
        "system.somaxconn",
        "net/core/somaxconn",
        4096,
        "connections are refused when many clients reconnect at once",
    ),
    (
        "system.tcp_max_syn_backlog",
        "net/ipv4/tcp_max_syn_backlog",
        1024,
        "handshakes are dropped when many clients reconnect at once",
    ),
];

pub(super) fn examine(config: &Config) -> Vec<Finding> {
    let soft = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let mut findings = vec![files(soft, config.limits.connections_max as u64)];
    findings.extend(kernel(Path::new("/proc/sys")));
    findings.push(Finding::ok("system.traces", traces()));
    findings
}

/// The limit of this process: that of a service is in its unit. `None` is no limit.
fn files(limit: Option<u64>, connections_max: u64) -> Finding {
    let needed = connections_max.saturating_add(FILES_BESIDES);
    match limit {
        Some(limit) if limit < needed => Finding::warning(
            "system.files",
            format!("{limit} files may be open, and limits.connections_max needs {needed}"),
            format!(
                "set LimitNOFILE={needed} in the unit (`ulimit -n` in a shell), or lower \
                `limits.connections_max`"
            ),
        ),
        Some(limit) => Finding::ok("system.files", format!("{limit} files may be open")),
        None => Finding::ok("system.files", "any number of files may be open"),
    }
}

fn traces() -> &'static str {
    if telemetry::HAS_TRACES {
        "this program can send traces (feature `otlp`)"
    } else {
        "this program is built without traces (feature `otlp`)"
    }
}

fn kernel(root: &Path) -> Vec<Finding> {
    let findings = KERNEL.iter().filter_map(|(check, file, least, why)| {
        let text = fs::read_to_string(root.join(file)).ok()?;
        let found: u64 = text.trim().parse().ok()?;
        let name = file.replace('/', ".");
        let message = format!("{name} is {found}");
        Some(if found >= *least {
            Finding::ok(check, message)
        } else {
            let action = format!("sysctl -w {name}={least}");
            Finding::warning(check, format!("{message}: {why}"), action)
        })
    });
    findings.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::doctor::Level;

    #[test]
    fn low_settings_of_the_kernel_are_named() {
        let root = tempfile::tempdir().unwrap();
        for (_, file, least, _) in KERNEL {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, format!("{}\n", least - 1)).unwrap();
        }
        let found = kernel(root.path());
        assert_eq!(found.len(), KERNEL.len());
        for finding in found {
            assert_eq!(finding.level, Level::Warning, "{finding:?}");
            assert!(finding.action.starts_with("sysctl -w net."), "{finding:?}");
        }
        fs::write(root.path().join(KERNEL[0].1), "4096\n").unwrap();
        assert_eq!(kernel(root.path())[0].level, Level::Ok);
    }

    #[test]
    fn the_limit_of_files_is_compared_with_the_connections() {
        let needed = 1000 + FILES_BESIDES;
        assert_eq!(files(Some(needed - 1), 1000).level, Level::Warning);
        assert_eq!(files(Some(needed), 1000).level, Level::Ok);
        assert_eq!(files(None, 1000).level, Level::Ok);
    }
}
