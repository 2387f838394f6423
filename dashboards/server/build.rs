//! Has the crate compiled again when the page was built again.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // The directory is in the sources with a marker file; without it there is nothing to watch.
    if std::path::Path::new("../web/dist").is_dir() {
        println!("cargo::rerun-if-changed=../web/dist");
    }
}
