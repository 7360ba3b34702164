//! What the compiler says when a block cannot be shared.

use std::fs;
use std::path::Path;

#[test]
fn misuse_is_explained_where_it_is() {
    trybuild::TestCases::new().compile_fail("tests/shared/ui/*.rs");
}

#[test]
fn no_message_lists_the_implementations_of_serde() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shared/ui");
    let mut messages = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "stderr")
        {
            let text = fs::read_to_string(&path).unwrap();
            assert!(!text.contains(" others"), "{}:\n{text}", path.display());
            messages += 1;
        }
    }
    assert!(messages > 10);
}
