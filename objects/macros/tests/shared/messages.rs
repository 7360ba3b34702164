//! What the compiler says when a block cannot be shared.

#[test]
fn misuse_is_explained_where_it_is() {
    trybuild::TestCases::new().compile_fail("tests/shared/ui/*.rs");
}
