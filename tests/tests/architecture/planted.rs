//! Tests of the scanner itself, on small crates with planted faults.

use crate::graph::{Graph, circles, components, edges};
use crate::layers::{DAEMON, Layers};
use crate::syntax::{Crate, Sources};

/// The edges of a crate with these files; the first is its root.
fn graph(files: &[(&str, &str)]) -> Graph {
    let sources: Sources = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    edges(&Crate::read(files[0].0, &sources))
}

/// The circles of a crate, each as its files' names.
fn found(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let name = |file: String| file.trim_start_matches("src/").trim_end_matches(".rs").to_owned();
    circles(&graph(files)).into_iter().map(|circle| circle.files.into_iter().map(name).collect()).collect()
}

/// A crate of `a`, which defines `A`, and `b`, which defines `B`, with code in both.
fn two(a: &str, b: &str) -> Vec<Vec<String>> {
    let (a, b) = (format!("pub struct A;\n{a}"), format!("pub struct B;\n{b}"));
    found(&[("src/lib.rs", "pub mod a; pub mod b; pub use a::A;"), ("src/a.rs", &a), ("src/b.rs", &b)])
}

const USES_A: &str = "use crate::a::A;";

#[test]
fn a_circle_is_found_however_it_is_written() {
    for needs_b in [
        "use crate::b::B;",
        "use super::b::B as Other;",
        "use crate::{a::A as _, b::{self, B}};",
        "use crate::b::*; struct S(B);",
        "use crate::b; fn f() -> b::B { todo!() }",
        "fn f() { use crate::b::B; }",
        "fn f() -> Option<crate::b::B> { None }",
        "fn f() { let _ = super::b::B; }",
        "fn f(x: &dyn std::any::Any) -> bool { matches!(x.downcast_ref(), Some(crate::b::B)) }",
        "fn f() { assert!(g(&[super::b::B, 1])); }",
        "impl From<crate::b::B> for A { fn from(_: crate::b::B) -> Self { A } }",
        "pub use crate::b::B;",
        "macro_rules! m { () => { $crate::b::B } }",
        "#[serde(with = \"crate::b::B\")] struct S;",
        "mod inner { fn f() -> crate::b::B { todo!() } }",
        "mod inner { use super::super::b::B; }",
        "#[cfg(test)] mod tests { use crate::b::B; }",
        "fn f() { match 1 { crate::b::CONST => {}, _ => {} } }",
    ] {
        assert_eq!(two(needs_b, USES_A), [["a", "b"]], "{needs_b}");
    }
}

#[test]
fn what_only_looks_like_a_path_is_none() {
    for harmless in [
        "// use crate::b::B;\n",
        "fn f() -> &'static str { \"crate::b::B\" }",
        "use std::b::B; use ::b::B as C;",
        "fn f(b: i32) -> i32 { b }",
        "fn f() { println!(\"{}\", x.b); s!(b: 1, 'b, $b, <T>::b); }",
        "mod inner { mod b { pub struct B; } use self::b::B; }",
        "pub(in crate::b) struct S;",
        "use crate::b;",
    ] {
        assert_eq!(two(harmless, USES_A), Vec::<Vec<String>>::new(), "{harmless}");
    }
}

#[test]
fn re_exports_lead_to_the_file_that_defines() {
    // By way of the root, a chain of renames and a glob, `A` is what `a.rs` defines.
    let root = "mod a; mod b; mod c; pub use c::Third;";
    let chain = |a: &str| {
        found(&[
            ("src/lib.rs", root),
            ("src/a.rs", a),
            ("src/b.rs", "pub use crate::a::A as Second; pub struct B;"),
            ("src/c.rs", "pub use crate::b::*; pub use crate::b::Second as Third;"),
        ])
    };
    assert_eq!(chain("pub struct A; use crate::Third;"), Vec::<Vec<String>>::new());
    assert_eq!(chain("pub struct A; use crate::c::B;"), [["a", "b"]]);
}

#[test]
fn a_parent_that_only_declares_is_no_node_and_one_with_code_is() {
    let children = [("src/p/a.rs", "pub struct A; fn f(_: super::B) {}"), ("src/p/b.rs", "pub struct B;")];
    let with =
        |parent: &'static str| found(&[("src/lib.rs", "mod p;"), ("src/p/mod.rs", parent), children[0], children[1]]);
    assert_eq!(with("//! Words.\nmod a; mod b; pub use a::A; pub use b::B;"), Vec::<Vec<String>>::new());
    let own = with("mod a; use a::A; pub struct B(A);");
    assert_eq!(own, [["p/a", "p/mod"]]);
    // `NAME.rs` beside `NAME/` is a parent like any other.
    let beside = [("src/lib.rs", "mod p;"), ("src/p.rs", "mod a; mod b; pub struct P; use a::A; use b::B;")];
    let (a, b) = (("src/p/a.rs", "pub struct A; use super::P;"), ("src/p/b.rs", "pub struct B;"));
    assert_eq!(found(&[beside[0], beside[1], a, b]), [["p", "p/a"]]);
}

#[test]
fn names_that_macros_make_belong_to_their_module() {
    let files = [
        ("src/lib.rs", "mod a; mod b;"),
        ("src/a.rs", "make! { A } use crate::b::B;"),
        ("src/b.rs", "pub struct B; use crate::a::A;"),
    ];
    assert_eq!(found(&files), [["a", "b"]]);
}

#[test]
fn long_circles_are_one_component_and_two_apart_are_two() {
    let plain = |edges: &[(&'static str, &'static str)]| {
        let mut graph = std::collections::BTreeMap::<_, std::collections::BTreeSet<_>>::new();
        for (from, to) in edges {
            graph.entry(*from).or_default().insert(*to);
        }
        components(&graph)
    };
    let ring = [("a", "b"), ("b", "c"), ("c", "d"), ("d", "a"), ("d", "e"), ("e", "f"), ("x", "a")];
    assert_eq!(plain(&ring), [["a", "b", "c", "d"]]);
    assert_eq!(plain(&[("a", "b"), ("b", "a"), ("b", "c"), ("c", "d"), ("d", "c")]), [["c", "d"], ["a", "b"]]);
    assert!(plain(&[("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")]).is_empty());
}

#[test]
fn a_circle_is_shown_with_its_edges() {
    let files = [
        ("src/lib.rs", "mod a; mod b;"),
        ("src/a.rs", "\nuse crate::b::B;\npub struct A;"),
        ("src/b.rs", "pub struct B(crate::a::A);"),
    ];
    let shown = circles(&graph(&files))[0].to_string();
    assert!(shown.contains("circle of 2 files") && shown.contains("src/a.rs:2 -> src/b.rs (crate::b::B"), "{shown}");
}

/// What breaks the daemon's order where one module has this code; every module of the order defines `X`.
fn broken(module: &'static str, code: &str) -> Vec<String> {
    let names = || DAEMON.levels.iter().copied().flatten().chain(DAEMON.apart).filter(|name| !name.is_empty());
    let root: String = names().map(|name| format!("pub mod {name};")).chain(["pub struct X;".to_owned()]).collect();
    let mut sources: Sources = names().map(|name| (format!("src/{name}.rs"), "pub struct X;".to_owned())).collect();
    sources.insert("src/lib.rs".to_owned(), root);
    sources.get_mut(&format!("src/{module}.rs")).unwrap().push_str(code);
    DAEMON.violations(&edges(&Crate::read("src/lib.rs", &sources))).into_iter().collect()
}

#[test]
fn imports_upwards_break_the_order_and_imports_downwards_do_not() {
    for (module, downwards, upwards) in [
        ("http", "agent", ""),
        ("agent", "training", "X"),
        ("training", "state", "agent"),
        ("gate", "serving", "training"),
        ("serving", "background", "runs"),
        ("background", "state", "versions"),
        ("state", "simulate", "background"),
    ] {
        assert!(broken(module, &format!("use crate::{downwards}::X as Y;")).is_empty(), "{module} -> {downwards}");
        let path =
            if upwards.is_empty() || upwards == "X" { "crate::X".to_owned() } else { format!("crate::{upwards}::X") };
        let wrong = broken(module, &format!("fn f(_: {path}) {{}}"));
        assert_eq!(wrong.len(), 1, "{module} -> {upwards}: {wrong:?}");
        assert!(
            wrong[0].contains("stands above it") && wrong[0].starts_with(&format!("src/{module}.rs:1")),
            "{wrong:?}"
        );
    }
    assert!(broken("simulate", "use crate::state::X as Y;")[0].contains("stands apart"));
}

#[test]
fn modules_of_one_level_may_import_each_other_one_way() {
    const LEVELS: Layers = Layers { levels: &[&["a", "b", "c"]], apart: &[] };
    let with = |c: &str| {
        let files = [
            ("src/lib.rs", "mod a; mod b; mod c;"),
            // Two files of `a`, so that modules form a circle where files do not.
            ("src/a.rs", "pub mod first; pub mod second;"),
            ("src/a/first.rs", "pub struct X; use crate::b::X as Y;"),
            ("src/a/second.rs", "pub struct X;"),
            ("src/b.rs", "pub struct X; use crate::c::X as Y;"),
            ("src/c.rs", c),
        ];
        assert!(found(&files).is_empty());
        LEVELS.violations(&graph(&files)).into_iter().collect::<Vec<_>>()
    };
    assert!(with("pub struct X;").is_empty());
    assert_eq!(with("pub struct X; use crate::a::second::X as Y;"), ["modules of one level need each other: a, b, c"]);
}

#[test]
fn a_module_without_a_place_is_named() {
    const LEVELS: Layers = Layers { levels: &[&["a"]], apart: &[] };
    let files = [
        ("src/lib.rs", "mod a; mod new;"),
        ("src/a.rs", "pub struct A; use crate::new::N;"),
        ("src/new.rs", "pub struct N;"),
    ];
    let wrong: Vec<String> = LEVELS.violations(&graph(&files)).into_iter().collect();
    assert!(wrong.len() == 1 && wrong[0].contains("`new`, which has no place in the order"), "{wrong:?}");
}
