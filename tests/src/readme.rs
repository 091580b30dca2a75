//! The examples of the README: shell blocks, one tour, run in their order in one shell.

use crate::programs::workspace;

/// Marks a block that is not run, with its reason: `<!-- not run: REASON -->` on the line before it.
const NOT_RUN: &str = "<!-- not run:";

/// A shell block.
#[derive(Debug, PartialEq, Eq)]
pub struct Block {
    /// Line of the README where it begins.
    pub line: usize,
    /// Its commands.
    pub text: String,
    /// Whether the tour runs it.
    pub run: bool,
}

/// The README's text.
///
/// # Panics
/// If it cannot be read.
#[must_use]
pub fn text() -> String {
    std::fs::read_to_string(workspace().join("README.md")).expect("a README")
}

/// All shell blocks of a Markdown text.
#[must_use]
pub fn blocks(markdown: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let (mut open, mut marked) = (false, false);
    for (number, line) in (1..).zip(markdown.lines()) {
        if open && line == "```" {
            open = false;
        } else if open {
            if let Some(block) = blocks.last_mut() {
                block.text.push_str(line);
                block.text.push('\n');
            }
        } else if line == "```sh" {
            open = true;
            blocks.push(Block { line: number, text: String::new(), run: !marked });
        }
        marked = line.starts_with(NOT_RUN) || (marked && line.is_empty());
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_and_marked() {
        let found = blocks("# T\n```sh\na\nb\n```\ntext\n<!-- not run: why -->\n```sh\nc\n```\n```toml\nd\n```\n");
        let short: Vec<_> = found.iter().map(|block| (block.line, block.text.as_str(), block.run)).collect();
        assert_eq!(short, [(2, "a\nb\n", true), (8, "c\n", false)]);
    }
}
