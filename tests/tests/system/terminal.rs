//! The console on a real terminal: it starts without a daemon, attaches when one comes, survives its death, and fits.

use mercer_tests::shop::SMALL;
use mercer_tests::terminal::Terminal;
use mercer_tests::{Daemon, eventually};

/// A screen: its key, its tab, and what only its footer says.
struct Screen {
    key: &'static str,
    title: &'static str,
    footer: &'static str,
}

impl Screen {
    /// The tab of another screen, which is written out only where there is room for all.
    fn other(&self) -> String {
        if self.key == "1" { "2 Users".into() } else { "1 Overview".into() }
    }
}

const SCREENS: [Screen; 7] = [
    Screen { key: "1", title: "Overview", footer: ": commands" },
    Screen { key: "2", title: "Users", footer: "o open id" },
    Screen { key: "3", title: "Search", footer: "i type" },
    Screen { key: "4", title: "Training", footer: "x cancel" },
    Screen { key: "5", title: "Models", footer: "B roll back" },
    Screen { key: "6", title: "Reports", footer: "f formula" },
    Screen { key: "7", title: "Log", footer: "F follow" },
];

/// Lines of a screen that have something on them.
fn drawn(text: &str) -> usize {
    text.lines().filter(|line| !line.trim().is_empty()).count()
}

/// Turns to a screen and returns what it shows.
fn turn_to(terminal: &mut Terminal, screen: &Screen, narrow: bool) -> String {
    let there = |text: &str| {
        // Where there is little room only the tab of the open screen is written out, and the footer is cut.
        let tab = text.contains(&format!("{} {}", screen.key, screen.title));
        if narrow { tab && !text.contains(&screen.other()) } else { tab && text.contains(screen.footer) }
    };
    terminal.press(screen.key);
    eventually(&format!("{} opens", screen.title), || Some(terminal.text()).filter(|text| there(text)))
}

#[test]
fn it_starts_without_a_daemon_says_how_to_start_one_and_attaches() {
    let mut daemon = Daemon::start();
    daemon.kill();
    let mut terminal = Terminal::console(&daemon.socket(), 24, 80);
    let text = terminal.shows("No daemon answers");
    assert!(text.contains("mercerd --state") && text.contains("mercer demo"), "{text}");
    // Keys are alive all the same.
    terminal.press("?");
    eventually("help opens", || (terminal.text() != text).then_some(()));
    terminal.press("\u{1b}");
    terminal.shows("No daemon answers");
    daemon.launch();
    terminal.shows("v000001");
    terminal.press("q");
    assert_eq!(terminal.ends(), Some(0));
}

#[test]
fn a_daemon_that_dies_leaves_stale_data_and_live_keys() {
    let mut daemon = Daemon::start();
    SMALL.open(&daemon);
    let mut terminal = Terminal::console(&daemon.socket(), 24, 80);
    terminal.shows("v000001 serving");
    daemon.kill();
    let text = terminal.shows("stale");
    assert!(text.contains("v000001"), "what was known is gone: {text}");
    terminal.press("5");
    terminal.shows("The daemon does not answer");
    daemon.launch();
    eventually("it is attached again", || {
        let text = terminal.text();
        (!text.contains("stale") && text.contains("v000001 ok")).then_some(())
    });
    assert!(terminal.lives());
}

#[test]
fn every_screen_fits_eighty_by_twenty_four_and_sixty_by_sixteen() {
    let daemon = Daemon::start();
    SMALL.open(&daemon);
    daemon.mercer_ok(&["train", "--wait", "--no-encoder", "--no-promote"]);
    let mut terminal = Terminal::console(&daemon.socket(), 24, 80);
    terminal.shows("v000001 serving");
    for (rows, columns) in [(24, 80), (16, 60)] {
        terminal.resize(rows, columns);
        for screen in &SCREENS {
            let title = screen.title;
            let text = turn_to(&mut terminal, screen, columns < 80);
            assert!(drawn(&text) >= 3, "{title} at {columns}x{rows} is empty:\n{text}");
            let last = text.lines().last().unwrap_or_default();
            assert!(
                last.contains("commands") || last.contains("help") || last.contains("quit"),
                "{title} at {columns}x{rows} has no footer:\n{text}"
            );
        }
    }
    assert!(terminal.lives());
    terminal.press("q");
    assert_eq!(terminal.ends(), Some(0));
}
