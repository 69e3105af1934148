//! The reader of imports on small sources.

use super::*;

/// The edges of a crate of these files, as `from -> to`.
fn edges(files: &[(&str, &str)]) -> Vec<String> {
    let graph = modules(files).graph();
    let edges = graph.iter().flat_map(|(from, to)| {
        let to = to.iter();
        to.map(move |to| format!("{from} -> {to}"))
    });
    edges.collect()
}

fn modules(files: &[(&str, &str)]) -> Modules {
    let files: BTreeMap<&str, &str> = files.iter().copied().collect();
    Modules::new("lib.rs", |file| files.get(file).map(|&text| text.into()))
}

const ROOT: (&str, &str) = ("lib.rs", "mod a; mod b;");
const B: (&str, &str) = ("b.rs", "pub struct T; pub fn f() {} pub mod inner;");
const INNER: (&str, &str) = ("b/inner.rs", "pub struct Deep;");

/// What a file `a.rs` uses of a crate with a module `b` that has a child `inner`.
fn used_by(source: &str) -> Vec<String> {
    edges(&[ROOT, ("a.rs", source), B, INNER])
}

#[test]
fn imports_and_paths_of_every_form_are_read() {
    let forms = [
        "use crate::b::T;",
        "use super::b::T;",
        "use crate::{b::{T as U, f}};",
        "use crate::b; fn g() { b::f() }",
        "use crate::b::{self}; fn g() { b::f() }",
        "use crate::b as other; fn g() { other::f() }",
        "fn g() -> Vec<crate::b::T> { Vec::new() }",
        "fn g() { super::b::f(); }",
        "use super::b::*;",
        "use crate::b::T as _;",
        "#[cfg(not(test))] use crate::b::T;",
        "mod within { use super::super::b::T; }",
        "const QUOTE: char = '\"'; use crate::b::T; const END: char = '\"';",
        "fn g<'a>(x: &'a str) { crate::b::f() }",
    ];
    for source in forms {
        assert_eq!(used_by(source), ["a.rs -> b.rs"], "{source}");
    }
    assert_eq!(
        used_by("use crate::b::{T, inner::Deep};"),
        ["a.rs -> b.rs", "a.rs -> b/inner.rs"]
    );
}

#[test]
fn comments_strings_and_tests_are_not_read() {
    let nothing = [
        "// use crate::b::T;",
        "/// See [`crate::b::T`].\nfn g() {}",
        "/* outer /* inner */ use crate::b::T; */",
        "const S: &str = \"crate::b::f\";",
        "const S: &str = r#\"\" crate::b::f \"#;",
        "#[cfg(test)] mod tests { use crate::b::T; }",
        "#[cfg(test)] use crate::b::T;",
        "#[cfg(test)] fn g() { let x = [1; 2]; crate::b::f() }",
        "#[cfg(all(test, unix))] mod tests { use crate::b::T; }",
        "fn g() -> impl Fn() + use<> { || () }",
        "use std::b::T;",
        "pub(in crate::b) struct S;",
    ];
    for source in nothing {
        assert_eq!(used_by(source), [""; 0], "{source}");
    }
    let after = "#[cfg(test)] mod tests { fn g() {} } use crate::b::T;";
    assert_eq!(used_by(after), ["a.rs -> b.rs"]);
}

#[test]
fn files_of_tests_are_no_modules() {
    let files = [
        ROOT,
        ("a.rs", "#[cfg(test)] mod tests;"),
        ("a/tests.rs", "use crate::b::T;"),
        ("b.rs", ""),
    ];
    assert!(!modules(&files).graph().contains_key("a/tests.rs"));
}

#[test]
fn a_name_is_followed_through_re_exports_to_its_file() {
    let through_mod = [
        ROOT,
        ("a.rs", "use crate::b::Deep;"),
        ("b/mod.rs", "mod inner; pub use inner::Deep;"),
        INNER,
    ];
    assert_eq!(edges(&through_mod), ["a.rs -> b/inner.rs"]);
    let through_all = [
        ROOT,
        ("a.rs", "use crate::b::Deep;"),
        ("b/mod.rs", "mod inner; pub use inner::*;"),
        INNER,
    ];
    assert_eq!(edges(&through_all), ["a.rs -> b/inner.rs"]);
    let by_another_name = [
        ROOT,
        ("a.rs", "fn g() { crate::b::Top::new() }"),
        ("b/mod.rs", "mod inner; pub use inner::Deep as Top;"),
        INNER,
    ];
    assert_eq!(edges(&by_another_name), ["a.rs -> b/inner.rs"]);
    let of_its_name = [
        ROOT,
        ("a.rs", "use crate::b::inner;"),
        ("b/mod.rs", "mod inner; pub use inner::inner;"),
        ("b/inner.rs", "pub fn inner() {}"),
    ];
    assert_eq!(edges(&of_its_name), ["a.rs -> b/inner.rs"]);
}

#[test]
fn a_parent_uses_children_and_is_used_for_what_it_defines() {
    let head_only = [
        ("lib.rs", "mod a;"),
        ("a/mod.rs", "mod x; mod y; pub use x::X; pub use y::Y;"),
        ("a/x.rs", "pub struct X;"),
        ("a/y.rs", "use super::X; pub struct Y(X);"),
    ];
    assert_eq!(edges(&head_only), ["a/y.rs -> a/x.rs"]);
    let mutual = [
        ("lib.rs", "mod a;"),
        ("a/mod.rs", "mod x; pub struct A; fn f() { x::g() }"),
        ("a/x.rs", "use super::A; pub fn g() -> A { A }"),
    ];
    assert_eq!(
        circles(&modules(&mutual).graph()),
        ["a/mod.rs -> a/x.rs -> a/mod.rs"]
    );
    let re_exported_and_used = [
        ("lib.rs", "mod a;"),
        ("a/mod.rs", "mod x; pub use x::X; fn f(x: X) {}"),
        ("a/x.rs", "pub struct X;"),
    ];
    assert_eq!(edges(&re_exported_and_used), ["a/mod.rs -> a/x.rs"]);
}

#[test]
fn a_circle_is_found_and_written_out() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "pub struct A; use crate::b::B;"),
        ("b.rs", "pub struct B; fn f() { crate::c::C::new() }"),
        ("c.rs", "pub struct C; use super::{a::A, d::D};"),
        ("d.rs", "pub struct D;"),
    ];
    assert_eq!(
        circles(&modules(&files).graph()),
        ["a.rs -> b.rs -> c.rs -> a.rs"]
    );
}

#[test]
fn of_two_circles_both_are_found_and_of_one_group_only_one() {
    let graph = |edges: &[(&str, &str)]| {
        let mut graph = Graph::new();
        for (from, to) in edges {
            let (from, to) = ((*from).to_owned(), (*to).to_owned());
            graph.entry(from).or_default().insert(to);
        }
        graph
    };
    let two = graph(&[("a", "b"), ("b", "a"), ("b", "c"), ("c", "d"), ("d", "c")]);
    assert_eq!(circles(&two), ["a -> b -> a", "c -> d -> c"]);
    let one = graph(&[("a", "b"), ("b", "a"), ("b", "c"), ("c", "a")]);
    assert_eq!(circles(&one), ["a -> b -> a"]);
    let none = graph(&[("a", "b"), ("a", "c"), ("b", "c")]);
    assert_eq!(circles(&none), [""; 0]);
    assert_eq!(circles(&graph(&[("a", "a")])), ["a -> a"]);
}
