use std::path::Path;

/// The committed description is what the code says; `UPDATE=1` writes it anew (then `npm run api` in `dashboards/web`).
#[test]
fn the_committed_openapi_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../openapi.json");
    let current = linli_dashboards::openapi_json();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &current).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == current,
        "dashboards/openapi.json is not what the code says: run `UPDATE=1 cargo test -p linli-dashboards`, \
         then `npm --prefix dashboards/web run api`"
    );
}
