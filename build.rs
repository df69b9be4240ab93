//! Rebuilds the binary when a file is added to the page, `npm ci` installs the official client or the
//! official Admin UI, or a database gets another migration.
//!
//! `src/transport/pages`, `src/transport/admin_page.rs` and the stores embed them. The compiler itself watches only the files that it
//! embedded.

use std::path::Path;

fn main() {
    let public = Path::new(env!("CARGO_MANIFEST_DIR")).join("public");
    let packages = public.join("node_modules");
    let parts = ["socket.io-client/dist", "@socket.io/admin-ui/ui/dist"];
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={}", public.display());
    println!("cargo:rerun-if-changed=src/store/postgres/migrations");
    println!("cargo:rerun-if-changed=src/store/sqlite/migrations");
    // A path that does not exist would count as changed at every build.
    for part in parts.map(|it| packages.join(it)).into_iter().filter(|it| it.exists()) {
        println!("cargo:rerun-if-changed={}", part.display());
    }
}
