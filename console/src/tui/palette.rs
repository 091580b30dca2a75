//! What is made from the table of commands: the fuzzy finding of the palette, and the manual.

use super::commands::{COMMANDS, Command, LISTS, Scope};
use super::screens::ScreenId;

/// Where the letters of `needle` stand in `text`, in order and ignoring case, and how well: lower is better. Letters
/// that follow each other or begin a word cost nothing.
pub(crate) fn fuzzy(needle: &str, text: &str) -> Option<u32> {
    let mut cost = 0;
    let mut last: Option<usize> = None;
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let mut from = 0;
    for wanted in needle.to_lowercase().chars().filter(|c| !c.is_whitespace()) {
        let starts_word = |n: usize| n == 0 || text[n - 1] == ' ';
        let next = (from..text.len()).filter(|&n| text[n] == wanted).min_by_key(|&n| {
            let adjacent = last.is_some_and(|last| n == last + 1);
            (!(adjacent || starts_word(n)), n)
        })?;
        let adjacent = last.is_some_and(|last| next == last + 1);
        if !adjacent && !starts_word(next) {
            cost += 2;
        }
        if !adjacent {
            // A later word is a little worse than the first.
            cost += u32::from(next > 0);
        }
        last = Some(next);
        from = next + 1;
    }
    Some(cost)
}

/// The commands that a palette text finds, best first, and the argument that follows the name.
pub(crate) fn find(text: &str) -> Vec<(&'static Command, Option<String>)> {
    let text = text.trim_start();
    if let Some((name, argument)) = text.split_once(' ')
        && let Some(command) = COMMANDS.iter().find(|c| c.argument.is_some() && c.name == name)
        && !argument.trim().is_empty()
    {
        return vec![(command, Some(argument.trim().to_owned()))];
    }
    let mut found: Vec<_> = COMMANDS
        .iter()
        .enumerate()
        .filter_map(|(n, command)| {
            let by_name = fuzzy(text, command.name);
            let by_help = || fuzzy(text, command.help).filter(|_| text.len() > 2).map(|cost| cost + 20);
            by_name.or_else(by_help).map(|cost| (cost, command.name.len(), n, command))
        })
        .collect();
    found.sort_by_key(|(cost, length, n, _)| (*cost, if text.is_empty() { 0 } else { *length }, *n));
    found.into_iter().map(|(.., command)| (command, None)).collect()
}

/// The manual of the console's keys in Markdown, from third-level headings on: every screen, made from the table.
pub(crate) fn manual() -> String {
    let mut out = String::from("Keys of the console, by screen.\n");
    let mut section = |title: &str, rows: Vec<&Command>| {
        if rows.is_empty() {
            return;
        }
        out.push_str(&format!("\n### {title}\n\n| keys | `:` name | what it does |\n|---|---|---|\n"));
        for command in rows {
            let keys: Vec<_> = command.keys.iter().map(|key| format!("`{key}`")).collect();
            let name = match command.argument {
                Some(argument) => format!("{} {argument}", command.name),
                None => command.name.to_owned(),
            };
            out.push_str(&format!("| {} | {name} | {} |\n", keys.join(" "), command.help));
        }
    };
    section("Everywhere", COMMANDS.iter().filter(|c| c.scope == Scope::Everywhere).collect());
    section("Lists", COMMANDS.iter().filter(|c| c.scope == LISTS).collect());
    for screen in ScreenId::ALL {
        let own = |c: &&Command| c.scope != Scope::Everywhere && c.scope != LISTS && c.applies(screen);
        section(screen.title(), COMMANDS.iter().filter(own).collect());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::commands::Action;
    use super::*;

    #[test]
    fn the_palette_finds() {
        let first = |text: &str| find(text)[0].0.action;
        assert_eq!(first("roll"), Action::Rollback);
        assert_eq!(first("rb"), Action::Rollback);
        assert_eq!(first("prom"), Action::Promote);
        assert_eq!(first("mod"), Action::Mode);
        assert_eq!(first("model"), Action::Screen(ScreenId::Models));
        assert_eq!(first("qt"), Action::Quit);
        assert!(find("zzzz").is_empty());
        assert_eq!(find("").len(), COMMANDS.len());
        let found = find("user 17850");
        assert_eq!((found[0].0.action, found[0].1.as_deref()), (Action::OpenUser, Some("17850")));
        let found = find("search red dress under 50");
        assert_eq!((found[0].0.action, found[0].1.as_deref()), (Action::Query, Some("red dress under 50")));
    }

    #[test]
    fn the_manual_names_every_command() {
        let manual = manual();
        for command in COMMANDS {
            assert!(manual.contains(command.help), "{}", command.name);
        }
    }
}
