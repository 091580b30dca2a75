//! Figures of the code: lines and files of each module, lengths of functions, tuples among parameters.

use std::collections::BTreeMap;

use proc_macro2::Span;
use syn::visit::{self, Visit};
use syn::{FnArg, Signature, Type};

use crate::MEMBERS;
use crate::workspace::sources_of_member;

/// A function and what is counted of it.
struct Function {
    place: String,
    name: String,
    lines: usize,
    /// Elements of each tuple among its parameters, inside other types too.
    tuples: Vec<usize>,
    /// How many parameters are a tuple or a reference to one.
    plain: usize,
}

/// Collects the functions of a file.
struct Functions<'a> {
    file: &'a str,
    found: Vec<Function>,
}

/// Collects the tuples inside a type.
#[derive(Default)]
struct Tuples(Vec<usize>);

impl<'ast> Visit<'ast> for Tuples {
    fn visit_type_tuple(&mut self, tuple: &'ast syn::TypeTuple) {
        // `()` is no tuple that stands for a type.
        self.0.extend((tuple.elems.len() > 1).then_some(tuple.elems.len()));
        visit::visit_type_tuple(self, tuple);
    }
}

fn is_tuple(ty: &Type) -> bool {
    match ty {
        Type::Tuple(tuple) => tuple.elems.len() > 1,
        Type::Reference(reference) => is_tuple(&reference.elem),
        Type::Paren(inner) => is_tuple(&inner.elem),
        _ => false,
    }
}

impl Functions<'_> {
    fn count(&mut self, signature: &Signature, end: Span) {
        let (first, last) = (signature.fn_token.span.start().line, end.end().line);
        let mut tuples = Tuples::default();
        let mut plain = 0;
        for argument in &signature.inputs {
            if let FnArg::Typed(argument) = argument {
                tuples.visit_type(&argument.ty);
                plain += usize::from(is_tuple(&argument.ty));
            }
        }
        self.found.push(Function {
            place: format!("{}:{first}", self.file),
            name: signature.ident.to_string(),
            lines: last + 1 - first,
            tuples: tuples.0,
            plain,
        });
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.count(&item.sig, item.block.brace_token.span.close());
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.count(&item.sig, item.block.brace_token.span.close());
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        let end =
            item.default.as_ref().map_or(item.sig.paren_token.span.close(), |block| block.brace_token.span.close());
        self.count(&item.sig, end);
        visit::visit_trait_item_fn(self, item);
    }
}

fn functions(file: &str, text: &str) -> Vec<Function> {
    let mut functions = Functions { file, found: Vec::new() };
    functions.visit_file(&syn::parse_file(text).unwrap_or_else(|error| panic!("{file}: {error}")));
    functions.found
}

/// The part of the workspace that a file is counted for: a member, or a top-level module of a program.
fn part(member: &str, file: &str) -> String {
    let inside = file.strip_prefix(member).unwrap_or(file).trim_start_matches('/');
    let parts: Vec<&str> = inside.split('/').collect();
    match parts[..] {
        ["src", module, _, ..] => format!("{member}/src/{module}"),
        ["src", module] if ["daemon", "console"].contains(&member) => {
            format!("{member}/src/{}", module.trim_end_matches(".rs"))
        }
        [directory, ..] => format!("{member}/{directory}"),
        [] => member.to_owned(),
    }
}

#[derive(Default)]
struct Size {
    files: Vec<usize>,
}

fn median(lines: &mut [usize]) -> usize {
    lines.sort_unstable();
    lines.get(lines.len() / 2).copied().unwrap_or_default()
}

#[test]
#[ignore = "prints figures and checks nothing"]
fn report() {
    let mut parts = BTreeMap::<String, Size>::new();
    let mut all = Vec::new();
    let mut found = Vec::new();
    for member in MEMBERS {
        for (file, text) in sources_of_member(member) {
            let lines = text.lines().count();
            parts.entry(part(member, &file)).or_default().files.push(lines);
            all.push((lines, file.clone()));
            found.extend(functions(&file, &text));
        }
    }
    eprintln!("\n{:<34} {:>6} {:>8} {:>8} {:>8}", "module", "files", "lines", "median", "longest");
    for (part, size) in &mut parts {
        let (lines, longest) = (size.files.iter().sum::<usize>(), size.files.iter().max().copied().unwrap_or_default());
        let files = size.files.len();
        eprintln!("{part:<34} {files:>6} {lines:>8} {:>8} {longest:>8}", median(&mut size.files));
    }
    let mut lines: Vec<usize> = all.iter().map(|(lines, _)| *lines).collect();
    eprintln!("{} files, {} lines, median {}", lines.len(), lines.iter().sum::<usize>(), median(&mut lines));
    eprintln!("\nfiles of more than 400 lines:");
    all.sort_unstable_by(|a, b| b.cmp(a));
    all.iter().filter(|(lines, _)| *lines > 400).for_each(|(lines, file)| eprintln!("{lines:>6} {file}"));
    eprintln!("\nlongest functions:");
    found.sort_by(|a, b| b.lines.cmp(&a.lines).then_with(|| a.place.cmp(&b.place)));
    found.iter().take(20).for_each(|f| eprintln!("{:>6} {} {}", f.lines, f.place, f.name));
    let wide = |f: &&Function| f.tuples.iter().any(|elements| *elements > 2);
    let count = |holds: &dyn Fn(&&Function) -> bool| found.iter().filter(|f| holds(f)).count();
    eprintln!(
        "\n{} functions; {} have a parameter that is a tuple, {} one with a tuple in it, {} one with a tuple of more than two",
        found.len(),
        count(&|f| f.plain > 0),
        count(&|f| !f.tuples.is_empty()),
        count(&wide)
    );
    found.iter().filter(wide).for_each(|f| eprintln!("       {} {} {:?}", f.place, f.name, f.tuples));
    eprintln!("\nfunctions with tuples of two:");
    found.sort_by(|a, b| a.place.cmp(&b.place));
    let narrow = found.iter().filter(|f| !f.tuples.is_empty() && !wide(f));
    narrow.for_each(|f| eprintln!("       {} {}", f.place, f.name));
}

#[test]
fn lines_and_tuples_are_counted() {
    let text = "fn one() {}\nimpl X {\n    fn two(&self, a: (u8, u8), b: &[(u8, Option<(u8, u8, u8)>)], c: ()) {\n\n    }\n}\n\
        trait T {\n    fn three(\n        f: impl Fn(u8, u8),\n    );\n}\nfn outer() {\n    fn inner(x: &(u8, u8)) {}\n}\n";
    let found: Vec<_> =
        functions("f.rs", text).into_iter().map(|f| (f.place, f.name, f.lines, f.tuples, f.plain)).collect();
    let expected = [
        ("f.rs:1", "one", 1, vec![], 0),
        ("f.rs:3", "two", 3, vec![2, 2, 3], 1),
        ("f.rs:8", "three", 3, vec![], 0),
        ("f.rs:12", "outer", 3, vec![], 0),
        ("f.rs:13", "inner", 1, vec![2], 1),
    ];
    let expected =
        expected.map(|(place, name, lines, tuples, plain)| (place.to_owned(), name.to_owned(), lines, tuples, plain));
    assert_eq!(found, expected);
}

#[test]
fn no_parameter_is_a_tuple_of_more_than_two() {
    let sources = MEMBERS.iter().flat_map(|member| sources_of_member(member));
    let wide: Vec<String> = sources
        .flat_map(|(file, text)| functions(&file, &text))
        .filter(|f| f.tuples.iter().any(|elements| *elements > 2))
        .map(|f| format!("{} {}", f.place, f.name))
        .collect();
    assert!(wide.is_empty(), "give these a type with names: {wide:#?}");
}
