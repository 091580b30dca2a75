//! What keys do on each screen.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use mercer_shared::ids::UserId;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::*;

use super::console::*;
use super::fixtures::{models, now, profile, run, users};
use crate::tui::ask::{Answer, Ask};
use crate::tui::message::{Effect, Message};
use crate::tui::overlays::confirm::Confirm;
use crate::tui::overlays::help::Help;
use crate::tui::overlays::prompt::Prompt;
use crate::tui::screens::log::Log;
use crate::tui::screens::models::Models;
use crate::tui::screens::search::Search;
use crate::tui::screens::training::Training;
use crate::tui::screens::users::Users;

fn asks(effects: Vec<Effect>) -> Vec<Ask> {
    effects
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Ask(ask) => Some(ask),
            _ => None,
        })
        .collect()
}

#[test]
fn numbers_and_brackets_change_screens_and_ask_for_what_is_shown() {
    let mut app = filled(80, 24);
    assert_eq!(asks(press_keys(&mut app, "4")), [Ask::Runs]);
    assert_eq!(asks(press_keys(&mut app, "]")), [Ask::Models]);
    assert_eq!(title(&app), "Models");
    press_keys(&mut app, "[[[[[");
    assert_eq!(Some(&app.current), all_screens().last());
    assert_eq!(press_keys(&mut app, "q"), [Effect::Quit]);
    let effects = app.update(Message::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)));
    assert_eq!(effects, [Effect::Quit]);
}

#[test]
fn users_are_found_opened_and_left() {
    let mut app = filled(80, 24);
    *state_mut::<Users>(&mut app) = Users::default();
    press_keys(&mut app, "2");
    reply(&mut app, Ask::Users { prefix: String::new(), cursor: None }, Answer::Users(users()));
    // The last row asks for the next page, once.
    let next = Ask::Users { prefix: String::new(), cursor: Some("c2".into()) };
    assert_eq!(asks(press_keys(&mut app, "G")), std::slice::from_ref(&next));
    assert!(asks(press_keys(&mut app, "j")).is_empty());
    reply(&mut app, next, Answer::Users(Page { items: users().items, next_cursor: None }));
    assert_eq!(state::<Users>(&app).found.value.as_ref().unwrap().len(), 6);
    press_keys(&mut app, "gj");
    let asked = asks(press(&mut app, KeyCode::Enter));
    let user = UserId::new("17850").unwrap();
    assert_eq!(asked[0], Ask::Profile(user.clone()));
    assert!(matches!(&asked[1], Ask::Recommend { mode: Mode::Repeat, reasons: false, .. }));
    press(&mut app, KeyCode::Tab);
    assert!(shown(&app).contains("all items"));
    assert!(matches!(&asks(press_keys(&mut app, "w"))[..], [Ask::Recommend { reasons: true, .. }]));
    assert!(matches!(&asks(press_keys(&mut app, "m"))[..], [Ask::Recommend { mode: Mode::New, .. }]));
    press(&mut app, KeyCode::Esc);
    assert!(!state::<Users>(&app).inside && state::<Users>(&app).open.is_some());
    press(&mut app, KeyCode::Esc);
    assert!(state::<Users>(&app).open.is_none());
}

#[test]
fn the_filter_of_users_goes_to_the_daemon() {
    let mut app = filled(80, 24);
    press_keys(&mut app, "2");
    press(&mut app, KeyCode::Esc);
    press_keys(&mut app, "/178");
    assert!(shown(&app).contains("ids that begin with 178"));
    assert_eq!(asks(press(&mut app, KeyCode::Enter)), [Ask::Users { prefix: "178".into(), cursor: None }]);
    // An answer to an earlier filter comes too late.
    reply(
        &mut app,
        Ask::Users { prefix: String::new(), cursor: None },
        Answer::Users(Page { items: vec![], next_cursor: None }),
    );
    assert!(state::<Users>(&app).found.loading);
    assert_eq!(asks(press(&mut app, KeyCode::Esc)), [Ask::Users { prefix: String::new(), cursor: None }]);
}

#[test]
fn a_shopper_opens_by_id_from_anywhere() {
    let mut app = filled(80, 24);
    *state_mut::<Users>(&mut app) = Users::default();
    press_keys(&mut app, "7:user 顾客-9");
    let asked = asks(press(&mut app, KeyCode::Enter));
    assert_eq!(title(&app), "Users");
    assert!(asked.contains(&Ask::Profile(UserId::new("顾客-9").unwrap())));
    press_keys(&mut app, "o");
    assert!(is_open::<Prompt>(&app) && shown(&app).contains("shopper id"));
    press(&mut app, KeyCode::Enter);
    assert!(shown(&app).contains("an id must not be empty"));
}

#[test]
fn interactions_renew_an_open_profile_but_not_too_often() {
    let mut app = filled(80, 24);
    press_keys(&mut app, "2");
    reply(&mut app, Ask::Profile(UserId::new("17850").unwrap()), Answer::Profile(Box::new(profile())));
    let came = || event(EventKind::Interactions { accepted: 1, total: 400_000 }, 0);
    assert!(asks(app.update(came())).is_empty());
    app.context.now = now().plus_millis(3000);
    assert_eq!(asks(app.update(came())), [Ask::Profile(UserId::new("17850").unwrap())]);
    assert!(asks(app.update(came())).is_empty(), "one question at a time");
}

#[test]
fn answers_about_what_is_no_longer_looked_at_are_dropped() {
    let mut app = filled(80, 24);
    let other = UserId::new("12347").unwrap();
    state_mut::<Users>(&mut app).profile = Default::default();
    reply(&mut app, Ask::Profile(other), Answer::Profile(Box::new(profile())));
    assert!(state::<Users>(&app).profile.value.is_none());
}

#[test]
fn searching() {
    let mut app = filled(80, 24);
    press_keys(&mut app, "3");
    press(&mut app, KeyCode::Esc);
    press_keys(&mut app, "/红裙 under 50");
    let asked = asks(press(&mut app, KeyCode::Enter));
    assert_eq!(asked, [Ask::Search { text: "红裙 under 50".into(), reasons: false }]);
    let problem = Problem::new(Code::Overloaded, "the queue is full");
    refuse(&mut app, asked[0].clone(), problem);
    let text = shown(&app);
    assert!(text.contains("overloaded") && text.contains("try again"), "{text}");

    let mut app = filled(80, 24);
    press_keys(&mut app, "3j");
    let asked = asks(press(&mut app, KeyCode::Enter));
    assert!(matches!(&asked[..], [Ask::Related(item)] if item.as_str() == "22423"));
    assert!(shown(&app).contains("Related  REGENCY"));
    press(&mut app, KeyCode::Esc);
    assert!(state::<Search>(&app).related_to.is_none());
}

#[test]
fn training_asks_before_it_starts_or_cancels() {
    let mut app = filled(80, 24);
    press_keys(&mut app, "4s");
    assert!(shown(&app).contains("r000012 is in progress already"));
    press_keys(&mut app, "x");
    assert!(shown(&app).contains("Cancel r000012?"));
    assert!(press_keys(&mut app, "n").is_empty(), "no is no");
    press_keys(&mut app, "x");
    assert_eq!(asks(press_keys(&mut app, "y")), [Ask::Cancel("r000012".into())]);

    let mut done = run();
    done.state = RunState::Cancelled;
    reply(&mut app, Ask::Cancel("r000012".into()), Answer::Run(Box::new(done)));
    assert!(shown(&app).contains("r000012 is being cancelled"));
    press_keys(&mut app, "s");
    let text = shown(&app);
    assert!(text.contains("Start a training run?") && text.contains("1,204 interactions"), "{text}");
    let asked = asks(press(&mut app, KeyCode::Enter));
    assert!(matches!(&asked[..], [Ask::Train(TrainRequest { encoder: Some(true), .. })]));
    press_keys(&mut app, "S");
    let asked = asks(press_keys(&mut app, "y"));
    assert!(matches!(&asked[..], [Ask::Train(TrainRequest { encoder: Some(false), .. })]));
}

#[test]
fn live_losses_grow_even_when_events_leave_the_old_ones_out() {
    let mut app = filled(80, 24);
    let mut later = run();
    later.step = 130;
    later.losses = vec![LossPoint { step: 130, loss: 1.1 }];
    app.update(event(EventKind::Run(Box::new(later)), 0));
    let losses = &state::<Training>(&app).runs.value.as_ref().unwrap()[0].losses;
    assert_eq!((losses.len(), losses.last().unwrap().step), (121, 130));
    assert_eq!(app.context.status.value.as_ref().unwrap().run.as_ref().unwrap().step, 130);
}

#[test]
fn promoting_rolling_back_and_pinning_say_what_will_happen() {
    let mut app = filled(80, 24);
    press_keys(&mut app, "5P");
    let text = shown(&app);
    assert!(
        text.contains("Promote v000003?") && text.contains("in place of v000002") && text.contains("did not pass"),
        "{text}"
    );
    assert_eq!(asks(press_keys(&mut app, "y")), [Ask::Promote("v000003".into())]);
    press_keys(&mut app, "jP");
    assert!(shown(&app).contains("v000002 serves already"));
    press_keys(&mut app, "B");
    assert!(shown(&app).contains("v000001"));
    assert_eq!(asks(press_keys(&mut app, "y")), [Ask::Rollback]);
    press_keys(&mut app, "jp");
    assert!(shown(&app).contains("Stop keeping v000001?"));
    assert_eq!(asks(press_keys(&mut app, "y")), [Ask::Pin("v000001".into(), false)]);
    // Any other key leaves the question open.
    press_keys(&mut app, "p5x");
    assert!(is_open::<Confirm>(&app));
}

#[test]
fn a_refused_order_says_why_and_what_to_do() {
    let mut app = filled(100, 24);
    let problem = Problem::new(Code::Forbidden, "uid 1000 is not in the operator group");
    refuse(&mut app, Ask::Rollback, problem);
    let text = shown(&app);
    assert!(text.contains("uid 1000 is not in the operator group"), "{text}");
}

#[test]
fn a_promotion_seen_in_the_stream_moves_the_serving_mark() {
    let mut app = filled(80, 24);
    let mut promoted = models().remove(0);
    promoted.state = ModelState::Serving;
    app.update(event(EventKind::Model(Box::new(promoted)), 0));
    let states: Vec<_> = state::<Models>(&app).list.value.as_ref().unwrap().iter().map(|m| m.state).collect();
    assert_eq!(states, [ModelState::Serving, ModelState::Retired, ModelState::Retired]);
}

#[test]
fn two_versions_stand_side_by_side() {
    let mut app = filled(120, 30);
    press_keys(&mut app, "5cj");
    let text = shown(&app);
    assert!(text.contains("Compare") && text.contains("+0.0066"), "{text}");
    press(&mut app, KeyCode::Esc);
    assert!(!shown(&app).contains("Compare"));
}

#[test]
fn reports_show_formulas_and_change_with_tab() {
    let mut app = filled(100, 30);
    press_keys(&mut app, "6?");
    assert!(shown(&app).contains("discount log2(rank + 1)"));
    press_keys(&mut app, "?");
    assert!(is_open::<Help>(&app));
    press(&mut app, KeyCode::Esc);
    press(&mut app, KeyCode::Tab);
    assert!(shown(&app).contains("undefined"));
    press(&mut app, KeyCode::Tab);
    let text = shown(&app);
    assert!(text.contains("noise 0.0610") && text.contains("within noise") && text.contains("suppressed"), "{text}");
    press_keys(&mut app, "jjjjjj");
    press(&mut app, KeyCode::Enter);
    assert!(shown(&app).contains("never inferred"));
}

#[test]
fn the_log_filters_and_stands_still() {
    let mut app = filled(80, 16);
    press_keys(&mut app, "7/promote");
    press(&mut app, KeyCode::Enter);
    let text = shown(&app);
    assert!(text.contains("promote v000002") && !text.contains("397,884"), "{text}");
    press(&mut app, KeyCode::Esc);
    for seq in 0..40 {
        let kind = EventKind::Model(Box::new(models().remove(0)));
        app.update(event(kind, seq));
    }
    press_keys(&mut app, "kkk");
    assert_eq!(state::<Log>(&app).back, 3);
    let before = shown(&app);
    app.update(event(EventKind::Model(Box::new(models().remove(1))), 99));
    assert_eq!(shown(&app), before, "new lines do not move what is being read");
    press_keys(&mut app, "G");
    assert_eq!(state::<Log>(&app).back, 0);
}

#[test]
fn bursts_of_interactions_are_one_line() {
    let mut app = filled(80, 24);
    let before = app.context.events.entries().len();
    for seq in 0..50 {
        let kind = EventKind::Interactions { accepted: 1, total: 400_000 + seq };
        app.update(event(kind, 10 * i64::try_from(seq).unwrap()));
    }
    // The twelve of a moment before are part of the burst, though a run was noted in between.
    assert_eq!(app.context.events.entries().len(), before);
    assert!(app.context.events.entries().any(|entry| entry.text == "62 more, 400,049 in all"));
}

#[test]
fn progress_of_a_run_is_one_line_for_each_phase() {
    let mut app = filled(80, 24);
    app.context.events.clear();
    let mut moved = run();
    for step in 121..180 {
        moved.step = step;
        app.update(event(EventKind::Run(Box::new(moved.clone())), 20_000 * i64::try_from(step).unwrap()));
    }
    moved.phase = RunPhase::Memory;
    app.update(event(EventKind::Run(Box::new(moved.clone())), 0));
    moved.state = RunState::Failed;
    moved.error = Some("the disk is full".into());
    app.update(event(EventKind::Run(Box::new(moved)), 0));
    let texts: Vec<_> = app.context.events.entries().map(|entry| entry.text.as_str()).collect();
    assert_eq!(
        texts,
        ["r000012 running, encoder 179/400", "r000012 running, index 179/400", "r000012 failed: the disk is full"]
    );
}

#[test]
fn a_paste_never_runs_commands() {
    let mut app = filled(80, 24);
    assert!(app.update(Message::Paste("q\n5P\ny".into())).is_empty());
    assert!(title(&app) == "Overview" && app.context.overlay.is_none());
    press_keys(&mut app, "3/");
    app.update(Message::Paste("red\u{1b}[31m dress\n".into()));
    assert!(
        matches!(&asks(press(&mut app, KeyCode::Enter))[..], [Ask::Search { text, .. }] if text.ends_with("red [31m dress"))
    );
}

#[test]
fn the_mouse_moves_and_picks_tabs() {
    use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
    let mut app = filled(200, 24);
    let mouse = |kind, column, row| Message::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE });
    press_keys(&mut app, ":mouse");
    assert_eq!(press(&mut app, KeyCode::Enter), [Effect::Mouse(true)]);
    let column = shown(&app).lines().next().unwrap().find("5 Models").unwrap() as u16;
    app.update(mouse(MouseEventKind::Down(MouseButton::Left), column, 0));
    assert_eq!(title(&app), "Models");
    app.update(mouse(MouseEventKind::ScrollDown, 5, 5));
    assert_eq!(state::<Models>(&app).selected, 1);
}

#[test]
fn an_empty_shop_says_what_to_do_next() {
    let mut app = filled(80, 24);
    *state_mut::<Users>(&mut app) = Users::default();
    reply(
        &mut app,
        Ask::Users { prefix: String::new(), cursor: None },
        Answer::Users(Page { items: vec![], next_cursor: None }),
    );
    reply(&mut app, Ask::Runs, Answer::Runs(vec![]));
    reply(&mut app, Ask::Models, Answer::Models(vec![]));
    *state_mut::<Search>(&mut app) = Search::default();
    for (screen, next) in
        [("Users", "mercer import"), ("Search", "/ begins"), ("Training", "s starts one"), ("Models", "4 trains")]
    {
        app.current = screen_named(&app, screen);
        assert!(shown(&app).contains(next), "{screen}: {}", shown(&app));
    }
}
