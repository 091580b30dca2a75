//! The modules of one crate as its sources declare them: items, imports and every path that the code mentions.
//!
//! Sources come as a map from path to text, so that the tests of the scanner plant their own. Test code counts like any other
//! code of its file.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::visit::{self, Visit};
use syn::{Item, ItemMod, UseTree};

/// Path from the workspace's root to the text of a source file.
pub type Sources = BTreeMap<String, String>;

/// A path as the code writes it.
#[derive(Debug, Clone)]
pub struct Mention {
    /// Its segments, `crate`, `self` and `super` among them.
    pub segments: Vec<String>,
    /// Line of the file, from 1.
    pub line: usize,
}

/// A module: a file's, or one written out in a file.
#[derive(Debug, Default)]
pub struct Module {
    /// Its path inside the crate; empty for the root.
    pub path: Vec<String>,
    /// The file that holds its code.
    pub file: String,
    /// The module around it.
    pub parent: Option<usize>,
    /// Modules that it declares.
    pub children: BTreeMap<String, usize>,
    /// Names that it defines.
    pub items: BTreeSet<String>,
    /// Names that it imports, and where from.
    pub imports: BTreeMap<String, Vec<String>>,
    /// Paths whose names it imports all together.
    pub globs: Vec<Vec<String>>,
    /// Every path in its code, imports among them.
    pub mentions: Vec<Mention>,
}

/// The modules of a crate; the first is its root.
#[derive(Debug)]
pub struct Crate {
    /// All modules.
    pub modules: Vec<Module>,
    /// The files that hold more than declarations of modules and re-exports.
    pub nodes: BTreeSet<String>,
    /// All files.
    pub files: BTreeSet<String>,
}

impl Crate {
    /// Reads the crate that begins at a root file.
    ///
    /// # Panics
    /// If a file is missing or does not parse.
    pub fn read(root: &str, sources: &Sources) -> Self {
        let mut krate = Self { modules: Vec::new(), nodes: BTreeSet::new(), files: BTreeSet::new() };
        krate.modules.push(Module { file: root.to_owned(), ..Module::default() });
        let mut waiting = vec![0];
        while let Some(module) = waiting.pop() {
            let file = krate.modules[module].file.clone();
            let text = sources.get(&file).unwrap_or_else(|| panic!("{file} is declared and missing"));
            let syntax = syn::parse_file(text).unwrap_or_else(|error| panic!("{file}: {error}"));
            if holds_code(&syntax.items) {
                krate.nodes.insert(file.clone());
            }
            krate.files.insert(file);
            let mut reader = Reader { krate: &mut krate, sources, module, waiting: &mut waiting };
            reader.items(&syntax.items);
        }
        krate
    }
}

/// Whether items are more than declarations of modules and re-exports.
fn holds_code(items: &[Item]) -> bool {
    items.iter().any(|item| match item {
        Item::Mod(module) => module.content.is_some(),
        Item::Use(_) | Item::ExternCrate(_) => false,
        _ => true,
    })
}

/// Directory in which a module finds the files of the modules that it declares.
fn directory_of_children(module: &Module, is_root: bool) -> String {
    let (directory, name) = module.file.rsplit_once('/').unwrap_or(("", &module.file));
    if is_root || name == "mod.rs" {
        directory.to_owned()
    } else {
        format!("{directory}/{}", name.trim_end_matches(".rs"))
    }
}

/// Collects what the code of one module says.
struct Reader<'a> {
    krate: &'a mut Crate,
    sources: &'a Sources,
    module: usize,
    waiting: &'a mut Vec<usize>,
}

impl Reader<'_> {
    fn this(&mut self) -> &mut Module {
        &mut self.krate.modules[self.module]
    }

    fn items(&mut self, items: &[Item]) {
        for item in items {
            self.this().items.extend(defined_name(item));
            self.visit_item(item);
        }
    }

    fn mention(&mut self, segments: Vec<String>, line: usize) {
        self.this().mentions.push(Mention { segments, line });
    }

    /// The file of a module declared without a body: `NAME.rs` or `NAME/mod.rs`.
    fn file_of(&self, name: &str) -> String {
        // Modules written out between the file and this declaration are directories on the way.
        let (mut at, mut inside) = (self.module, Vec::new());
        let modules = &self.krate.modules;
        while let Some(parent) = modules[at].parent
            && modules[parent].file == modules[at].file
        {
            inside.insert(0, modules[at].path[modules[at].path.len() - 1].clone());
            at = parent;
        }
        let mut directory = directory_of_children(&modules[at], at == 0);
        for part in inside {
            directory = format!("{directory}/{part}");
        }
        let beside = format!("{directory}/{name}.rs");
        if self.sources.contains_key(&beside) { beside } else { format!("{directory}/{name}/mod.rs") }
    }

    /// Paths among tokens that no parser has read: in macros and attributes. In attributes a string may name a path too.
    fn tokens(&mut self, tokens: TokenStream, strings: bool) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let is = |at: Option<usize>, sign: char| {
            at.and_then(|at| tokens.get(at)).is_some_and(|t| matches!(t, TokenTree::Punct(p) if p.as_char() == sign))
        };
        let ident = |at: usize| match tokens.get(at) {
            Some(TokenTree::Ident(ident)) => Some(ident),
            _ => None,
        };
        let mut at = 0;
        while at < tokens.len() {
            let begin = at;
            at += 1;
            match &tokens[begin] {
                TokenTree::Group(group) => self.tokens(group.stream(), strings),
                TokenTree::Literal(literal) if strings => {
                    let text = literal.to_string();
                    let text = text.trim_matches('"');
                    if ["crate::", "self::", "super::"].iter().any(|start| text.starts_with(start)) {
                        self.mention(text.split("::").map(str::to_owned).collect(), literal.span().start().line);
                    }
                }
                TokenTree::Ident(first) => {
                    let mut segments = vec![first.unraw().to_string()];
                    while is(Some(at), ':')
                        && is(Some(at + 1), ':')
                        && let Some(next) = ident(at + 2)
                    {
                        segments.push(next.unraw().to_string());
                        at += 3;
                    }
                    // Fields, methods, lifetimes, `<T>::name`, variables of a macro and names of fields are no paths.
                    let before = begin.checked_sub(1);
                    let colons = is(before, ':') && is(before.and_then(|at| at.checked_sub(1)), ':');
                    let method = is(before, '.') && !is_range(&tokens, before);
                    let foreign = colons || method || is(before, '\'');
                    let variable = is(before, '$') && first != "crate";
                    let field = segments.len() == 1 && is(Some(at), ':') && !is(Some(at + 1), ':');
                    if !foreign && !variable && !field {
                        self.mention(segments, first.span().start().line);
                    }
                }
                _ => {}
            }
        }
    }
}

/// Whether the dot at a place ends `..` or `..=`, after which a path may follow.
fn is_range(tokens: &[TokenTree], at: Option<usize>) -> bool {
    let dot = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == '.');
    at.is_some_and(|at| dot(at) && at > 0 && dot(at - 1))
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let name = item.ident.unraw().to_string();
        let file = if item.content.is_some() { self.this().file.clone() } else { self.file_of(&name) };
        let path = [&self.this().path[..], std::slice::from_ref(&name)].concat();
        let index = self.krate.modules.len();
        let parent = self.module;
        self.krate.modules.push(Module { path, file, parent: Some(parent), ..Module::default() });
        self.this().children.insert(name, index);
        if let Some((_, items)) = &item.content {
            self.module = index;
            self.items(items);
            self.module = parent;
        } else {
            self.waiting.push(index);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if item.leading_colon.is_none() {
            let mut imports = Vec::new();
            flatten(&item.tree, &mut Vec::new(), &mut imports);
            for import in imports {
                self.mention(import.segments.clone(), import.line);
                match import.name {
                    Some(name) => drop(self.this().imports.insert(name, import.segments)),
                    None => self.this().globs.push(import.segments),
                }
            }
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            let segments = path.segments.iter().map(|segment| segment.ident.unraw().to_string()).collect();
            self.mention(segments, path.segments[0].ident.span().start().line);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        self.visit_path(&mac.path);
        self.tokens(mac.tokens.clone(), false);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone(), true);
        }
    }

    // `pub(in path)` names a module and needs nothing of it.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}
}

/// One name or glob of an import.
struct Import {
    segments: Vec<String>,
    /// Its name here; none for a glob.
    name: Option<String>,
    line: usize,
}

/// Takes the nested groups of an import apart.
fn flatten(tree: &UseTree, prefix: &mut Vec<String>, imports: &mut Vec<Import>) {
    let mut import = |last: Option<&syn::Ident>, name: Option<String>, line: usize| {
        let last = last.map(|ident| ident.unraw().to_string()).filter(|last| prefix.is_empty() || last != "self");
        let segments: Vec<String> = prefix.iter().cloned().chain(last).collect();
        let name = name.map(|name| if name == "self" { segments[segments.len() - 1].clone() } else { name });
        imports.push(Import { segments, name, line });
    };
    match tree {
        UseTree::Path(path) => {
            prefix.push(path.ident.unraw().to_string());
            flatten(&path.tree, prefix, imports);
            prefix.pop();
        }
        UseTree::Group(group) => group.items.iter().for_each(|item| flatten(item, prefix, imports)),
        UseTree::Name(name) => {
            import(Some(&name.ident), Some(name.ident.unraw().to_string()), name.ident.span().start().line);
        }
        UseTree::Rename(name) => {
            import(Some(&name.ident), Some(name.rename.unraw().to_string()), name.ident.span().start().line);
        }
        UseTree::Glob(glob) => import(None, None, glob.star_token.span.start().line),
    }
}

/// The name that an item gives to its module; modules and imports are kept elsewhere.
fn defined_name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(ident.unraw().to_string())
}
