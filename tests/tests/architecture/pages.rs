//! Files and links that the README and the pages of `data/docs` name must exist.

use std::path::Path;

use mercer_tests::programs::workspace;

/// Directories whose files are named from the root of the workspace.
const TOP: [&str; 5] = ["console/", "daemon/", "data/", "shared/", "tests/"];

/// Paths of the workspace that a Markdown text names: in backticks from the root, or in links from the text's own directory.
fn named_paths(markdown: &str, directory: &Path) -> Vec<std::path::PathBuf> {
    let ticked = markdown.split('`').skip(1).step_by(2).filter(|text| !text.contains(char::is_whitespace));
    let from_root =
        ticked.filter(|text| TOP.iter().any(|top| text.starts_with(top))).map(|text| workspace().join(text));
    let links = markdown.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let local = links.filter(|link| !link.contains("://") && !link.starts_with('#'));
    from_root.chain(local.map(|link| directory.join(link))).collect()
}

fn missing(page: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(page).expect("a readable page");
    let paths = named_paths(&text, page.parent().expect("a file lies in a directory"));
    let gone = paths.into_iter().filter(|path| !path.exists());
    gone.map(|path| format!("{} names {}", page.display(), path.display())).collect()
}

#[test]
fn every_file_that_a_page_names_exists() {
    let docs =
        std::fs::read_dir(workspace().join("data/docs")).expect("a directory").flatten().map(|entry| entry.path());
    let pages =
        docs.chain([workspace().join("README.md")]).filter(|path| path.extension().is_some_and(|end| end == "md"));
    let found: Vec<String> = pages.flat_map(|page| missing(&page)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_page_of_the_architecture_names_files() {
    let text = std::fs::read_to_string(workspace().join("data/docs/architecture.md")).expect("a readable page");
    assert!(named_paths(&text, workspace()).len() > 30);
}

#[test]
fn paths_are_found_in_backticks_and_links() {
    let text = "`daemon/src/x.rs`, `mercer run`, `k`, `data/no space`, [a](b.md) and [far](https://x.org/a.md)";
    let found = named_paths(text, Path::new("/docs"));
    assert_eq!(found, [workspace().join("daemon/src/x.rs"), "/docs/b.md".into()]);
    let planted = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(planted.path(), "`daemon/src/nowhere.rs`").expect("a written file");
    assert_eq!(missing(planted.path()).len(), 1);
}
