//! The table of commands: sound on every screen, and what is made from it names all of them.

use std::collections::HashSet;

use super::console::*;
use crate::tui::command::{Action, Command};
use crate::tui::overlays::palette::Palette;
use crate::tui::screens;

#[test]
fn the_table_is_sound() {
    let commands = fresh(80, 24).commands;
    let mut names = HashSet::new();
    for command in commands.all() {
        assert!(names.insert(command.name), "{} twice", command.name);
        assert!(!command.help.is_empty() && !command.help.ends_with('.'), "{}", command.help);
    }
    // A screen may take a general key over, but no key leads to two commands of equal reach.
    let unique = |all: Vec<Command>| {
        let keys: Vec<_> = all.iter().flat_map(|command| command.keys).collect();
        keys.iter().collect::<HashSet<_>>().len() == keys.len()
    };
    for screen in all_screens() {
        assert!(unique(commands.own(screen)), "{screen:?}");
    }
    assert!(unique(commands.everywhere()));
}

#[test]
fn the_manual_names_every_command() {
    let manual = screens::manual();
    for command in fresh(80, 24).commands.all() {
        assert!(manual.contains(command.help), "{}", command.name);
    }
}

#[test]
fn the_footer_names_what_works_here() {
    for screen in all_screens() {
        let mut app = filled(200, 24);
        app.current = screen;
        let footer = shown(&app).lines().last().unwrap().to_owned();
        let named = app.commands.own(screen).into_iter().chain(app.commands.everywhere());
        for command in named.filter(|command| !command.footer.is_empty()) {
            // Reports take `?` over for the formula.
            let taken_over = command.action == Action::Help && title(&app) == "Reports";
            assert!(
                taken_over || footer.contains(command.footer),
                "{}: {} not in {footer}",
                title(&app),
                command.footer
            );
        }
    }
}

/// The names of the commands that the palette lists for a text, best first.
fn found(text: &str) -> Vec<String> {
    let mut app = filled(120, 60);
    press_keys(&mut app, &format!(":{text}"));
    assert!(is_open::<Palette>(&app));
    let names = app.commands.all();
    let name_in = |row: &str| {
        let row = row.trim_start_matches(['│', ' ', '▌']);
        let mut fitting: Vec<_> = names.iter().filter(|command| row.starts_with(command.name)).collect();
        fitting.sort_by_key(|command| std::cmp::Reverse(command.name.len()));
        fitting.first().map(|command| command.name.to_owned())
    };
    let picture = shown(&app);
    let rows = picture.lines().filter_map(|row| row.find('│').map(|at| row[at..].to_owned()));
    rows.skip_while(|row| !row.contains("▌")).filter_map(|row| name_in(&row)).collect()
}

#[test]
fn the_palette_finds_by_letters_of_the_name() {
    for (typed, name) in [
        ("roll", "roll back"),
        ("rb", "roll back"),
        ("prom", "promote"),
        ("mod", "mode"),
        ("model", "models"),
        ("qt", "quit"),
    ] {
        assert_eq!(found(typed).first().map(String::as_str), Some(name), "{typed}");
    }
    assert!(found("zzzz").is_empty());
}

#[test]
fn a_command_of_another_screen_goes_there_first() {
    let mut app = filled(80, 24);
    press_keys(&mut app, "1:promote\n");
    assert_eq!(title(&app), "Models");
    assert!(shown(&app).contains("Promote v000003?"), "{}", shown(&app));
}
