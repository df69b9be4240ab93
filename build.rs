//! Copies the files that the binary embeds, of the page, the official client and the official Admin UI,
//! so that `src/transport/pages` and `src/transport/admin_page.rs` find them without those beside them.
//! What `npm ci` has not installed is left out: the build succeeds without it.
//!
//! The binary is built again when a file is added, and when a database gets another migration: the
//! compiler itself watches only the files that it embedded.

#![expect(clippy::disallowed_methods, reason = "cargo names the folders in the environment")]

use std::{
    env,
    error::Error,
    fs, io,
    path::{Path, PathBuf},
};

/// The kinds of files of pages.
const PAGE: [&str; 7] = ["css", "html", "js", "png", "svg", "webmanifest", "woff2"];

fn main() -> Result<(), Box<dyn Error>> {
    let public = Path::new(env!("CARGO_MANIFEST_DIR")).join("public");
    let packages = public.join("node_modules");
    let client = packages.join("socket.io-client");
    let admin = packages.join("@socket.io/admin-ui/ui/dist");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/store/postgres/migrations");
    println!("cargo:rerun-if-changed=src/store/sqlite/migrations");
    // A path that does not exist would count as changed at every build.
    for folder in [&public, &client, &admin].into_iter().filter(|it| it.exists()) {
        println!("cargo:rerun-if-changed={}", folder.display());
    }
    let embedded = PathBuf::from(env::var("OUT_DIR")?).join("embedded");
    if embedded.exists() {
        fs::remove_dir_all(&embedded)?;
    }
    copy(&public, &embedded.join("page"), &PAGE)?;
    copy(&admin, &embedded.join("admin"), &PAGE)?;
    copy(&client.join("dist"), &embedded.join("client/dist"), &["js", "map"])?;
    if client.exists() {
        fs::copy(client.join("package.json"), embedded.join("client/package.json"))?;
    }
    Ok(())
}

/// Copies a folder's files of these kinds, but no packages. A folder that does not exist has none.
fn copy(from: &Path, to: &Path, kinds: &[&str]) -> io::Result<()> {
    fs::create_dir_all(to)?;
    if !from.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(from)? {
        let (path, name) = entry.map(|it| (it.path(), it.file_name()))?;
        let is_kind = path.extension().is_some_and(|it| kinds.iter().any(|kind| it == *kind));
        if path.is_dir() && name != "node_modules" {
            copy(&path, &to.join(name), kinds)?;
        } else if path.is_file() && is_kind {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}
