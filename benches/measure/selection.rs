//! The measurements that criterion does not know.

/// Whether the arguments of `cargo bench` select a measurement, by a part of its name or by the
/// lack of a name.
pub(crate) fn is_selected(name: &str) -> bool {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|it| it == flag);
    let mut filters = arguments.iter().filter(|it| !it.starts_with('-')).peekable();
    let is_named = filters.peek().is_none() || filters.any(|it| name.contains(it.as_str()));
    has("--bench") && !has("--test") && !has("--list") && is_named
}
