//! What keys do on each screen.

use mercer_shared::ids::UserId;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::*;

use super::fixtures::{filled, models, now, profile, run, users};
use super::*;
use crate::tui::app::{Overlay, Purpose};
use crate::tui::asks::{Answer, Ask};
use crate::tui::screens::ScreenId;
use crate::tui::screens::users::Tab;

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
    assert_eq!(asks(keys(&mut app, "4")), [Ask::Runs]);
    assert_eq!(asks(keys(&mut app, "]")), [Ask::Models]);
    assert_eq!(app.screen, ScreenId::Models);
    keys(&mut app, "[[[[[");
    assert_eq!(app.screen, ScreenId::Log);
    assert_eq!(keys(&mut app, "q"), [Effect::Quit]);
    let effects = app.update(Message::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)));
    assert_eq!(effects, [Effect::Quit]);
}

#[test]
fn users_are_found_opened_and_left() {
    let mut app = filled(80, 24);
    app.users = Default::default();
    keys(&mut app, "2");
    app.update(Message::Reply(
        Ask::Users { prefix: String::new(), cursor: None },
        Box::new(Ok(Answer::Users(users()))),
    ));
    // The last row asks for the next page, once.
    let next = Ask::Users { prefix: String::new(), cursor: Some("c2".into()) };
    assert_eq!(asks(keys(&mut app, "G")), std::slice::from_ref(&next));
    assert!(asks(keys(&mut app, "j")).is_empty());
    app.update(Message::Reply(next, Box::new(Ok(Answer::Users(Page { items: users().items, next_cursor: None })))));
    assert_eq!(app.users.found.value.as_ref().unwrap().len(), 6);
    keys(&mut app, "gj");
    let asked = asks(press(&mut app, KeyCode::Enter));
    let user = UserId::new("17850").unwrap();
    assert_eq!(asked[0], Ask::Profile(user.clone()));
    assert!(matches!(&asked[1], Ask::Recommend { mode: Mode::Repeat, reasons: false, .. }));
    press(&mut app, KeyCode::Tab);
    assert_eq!(app.users.tab, Tab::List);
    assert!(matches!(&asks(keys(&mut app, "w"))[..], [Ask::Recommend { reasons: true, .. }]));
    assert!(matches!(&asks(keys(&mut app, "m"))[..], [Ask::Recommend { mode: Mode::New, .. }]));
    press(&mut app, KeyCode::Esc);
    assert!(!app.users.inside && app.users.open.is_some());
    press(&mut app, KeyCode::Esc);
    assert!(app.users.open.is_none());
}

#[test]
fn the_filter_of_users_goes_to_the_daemon() {
    let mut app = filled(80, 24);
    keys(&mut app, "2");
    press(&mut app, KeyCode::Esc);
    keys(&mut app, "/178");
    assert!(shown(&app).contains("ids that begin with 178"));
    assert_eq!(asks(press(&mut app, KeyCode::Enter)), [Ask::Users { prefix: "178".into(), cursor: None }]);
    // An answer to an earlier filter comes too late.
    app.update(Message::Reply(
        Ask::Users { prefix: String::new(), cursor: None },
        Box::new(Ok(Answer::Users(Page { items: vec![], next_cursor: None }))),
    ));
    assert!(app.users.found.loading);
    assert_eq!(asks(press(&mut app, KeyCode::Esc)), [Ask::Users { prefix: String::new(), cursor: None }]);
}

#[test]
fn a_shopper_opens_by_id_from_anywhere() {
    let mut app = filled(80, 24);
    app.users = Default::default();
    keys(&mut app, "7:user 顾客-9");
    let asked = asks(press(&mut app, KeyCode::Enter));
    assert_eq!(app.screen, ScreenId::Users);
    assert!(asked.contains(&Ask::Profile(UserId::new("顾客-9").unwrap())));
    keys(&mut app, "o");
    assert!(matches!(app.overlay, Overlay::Typing(Purpose::User, _)));
    press(&mut app, KeyCode::Enter);
    assert!(shown(&app).contains("an id must not be empty"));
}

#[test]
fn interactions_renew_an_open_profile_but_not_too_often() {
    let mut app = filled(80, 24);
    app.screen = ScreenId::Users;
    app.users.profiled = Some(now());
    let event = |seq| {
        Message::Event(Box::new(Event {
            seq,
            at: now(),
            kind: EventKind::Interactions { accepted: 1, total: 400_000 },
        }))
    };
    assert!(asks(app.update(event(1))).is_empty());
    app.now = now().plus_millis(3000);
    assert_eq!(asks(app.update(event(2))), [Ask::Profile(UserId::new("17850").unwrap())]);
    assert!(asks(app.update(event(3))).is_empty(), "one question at a time");
}

#[test]
fn answers_about_what_is_no_longer_looked_at_are_dropped() {
    let mut app = filled(80, 24);
    let other = UserId::new("12347").unwrap();
    app.users.profile = Default::default();
    app.update(Message::Reply(Ask::Profile(other), Box::new(Ok(Answer::Profile(Box::new(profile()))))));
    assert!(app.users.profile.value.is_none());
}

#[test]
fn searching() {
    let mut app = filled(80, 24);
    keys(&mut app, "3");
    press(&mut app, KeyCode::Esc);
    keys(&mut app, "/红裙 under 50");
    let asked = asks(press(&mut app, KeyCode::Enter));
    assert_eq!(asked, [Ask::Search { text: "红裙 under 50".into(), reasons: false }]);
    let problem = Problem::new(Code::Overloaded, "the queue is full");
    app.update(Message::Reply(asked[0].clone(), Box::new(Err(problem))));
    let text = shown(&app);
    assert!(text.contains("overloaded") && text.contains("try again"), "{text}");

    let mut app = filled(80, 24);
    keys(&mut app, "3j");
    let asked = asks(press(&mut app, KeyCode::Enter));
    assert!(matches!(&asked[..], [Ask::Related(item)] if item.as_str() == "22423"));
    assert!(shown(&app).contains("Related  REGENCY"));
    press(&mut app, KeyCode::Esc);
    assert!(app.search.related_to.is_none());
}

#[test]
fn training_asks_before_it_starts_or_cancels() {
    let mut app = filled(80, 24);
    keys(&mut app, "4s");
    assert!(shown(&app).contains("r000012 is in progress already"));
    keys(&mut app, "x");
    assert!(shown(&app).contains("Cancel r000012?"));
    assert!(keys(&mut app, "n").is_empty(), "no is no");
    keys(&mut app, "x");
    assert_eq!(asks(keys(&mut app, "y")), [Ask::Cancel("r000012".into())]);

    let mut done = run();
    done.state = RunState::Cancelled;
    app.update(Message::Reply(Ask::Cancel("r000012".into()), Box::new(Ok(Answer::Run(Box::new(done))))));
    assert!(shown(&app).contains("r000012 is being cancelled"));
    keys(&mut app, "s");
    let text = shown(&app);
    assert!(text.contains("Start a training run?") && text.contains("1,204 interactions"), "{text}");
    let asked = asks(press(&mut app, KeyCode::Enter));
    assert!(matches!(&asked[..], [Ask::Train(TrainRequest { encoder: Some(true), .. })]));
    keys(&mut app, "S");
    let asked = asks(keys(&mut app, "y"));
    assert!(matches!(&asked[..], [Ask::Train(TrainRequest { encoder: Some(false), .. })]));
}

#[test]
fn live_losses_grow_even_when_events_leave_the_old_ones_out() {
    let mut app = filled(80, 24);
    let mut later = run();
    later.step = 130;
    later.losses = vec![LossPoint { step: 130, loss: 1.1 }];
    app.update(Message::Event(Box::new(Event { seq: 5, at: now(), kind: EventKind::Run(Box::new(later)) })));
    let losses = &app.training.runs.value.as_ref().unwrap()[0].losses;
    assert_eq!((losses.len(), losses.last().unwrap().step), (121, 130));
    assert_eq!(app.status.value.as_ref().unwrap().run.as_ref().unwrap().step, 130);
}

#[test]
fn promoting_rolling_back_and_pinning_say_what_will_happen() {
    let mut app = filled(80, 24);
    keys(&mut app, "5P");
    let text = shown(&app);
    assert!(
        text.contains("Promote v000003?") && text.contains("in place of v000002") && text.contains("did not pass"),
        "{text}"
    );
    assert_eq!(asks(keys(&mut app, "y")), [Ask::Promote("v000003".into())]);
    keys(&mut app, "jP");
    assert!(shown(&app).contains("v000002 serves already"));
    keys(&mut app, "B");
    assert!(shown(&app).contains("v000001"));
    assert_eq!(asks(keys(&mut app, "y")), [Ask::Rollback]);
    keys(&mut app, "jp");
    assert!(shown(&app).contains("Stop keeping v000001?"));
    assert_eq!(asks(keys(&mut app, "y")), [Ask::Pin("v000001".into(), false)]);
    // Any other key leaves the question open.
    keys(&mut app, "p5x");
    assert!(matches!(app.overlay, Overlay::Confirm(_)));
}

#[test]
fn a_refused_order_says_why_and_what_to_do() {
    let mut app = filled(100, 24);
    let problem = Problem::new(Code::Forbidden, "uid 1000 is not in the operator group");
    app.update(Message::Reply(Ask::Rollback, Box::new(Err(problem))));
    let text = shown(&app);
    assert!(text.contains("uid 1000 is not in the operator group"), "{text}");
}

#[test]
fn a_promotion_seen_in_the_stream_moves_the_serving_mark() {
    let mut app = filled(80, 24);
    let mut promoted = models().remove(0);
    promoted.state = ModelState::Serving;
    app.update(Message::Event(Box::new(Event { seq: 5, at: now(), kind: EventKind::Model(Box::new(promoted)) })));
    let states: Vec<_> = app.models.list.value.as_ref().unwrap().iter().map(|m| m.state).collect();
    assert_eq!(states, [ModelState::Serving, ModelState::Retired, ModelState::Retired]);
}

#[test]
fn two_versions_stand_side_by_side() {
    let mut app = filled(120, 30);
    keys(&mut app, "5cj");
    let text = shown(&app);
    assert!(text.contains("Compare") && text.contains("+0.0066"), "{text}");
    press(&mut app, KeyCode::Esc);
    assert!(!shown(&app).contains("Compare"));
}

#[test]
fn reports_show_formulas_and_change_with_tab() {
    let mut app = filled(100, 30);
    keys(&mut app, "6?");
    assert!(shown(&app).contains("discount log2(rank + 1)"));
    keys(&mut app, "?");
    assert!(matches!(app.overlay, Overlay::Help(_)));
    press(&mut app, KeyCode::Esc);
    press(&mut app, KeyCode::Tab);
    assert!(shown(&app).contains("undefined"));
    press(&mut app, KeyCode::Tab);
    let text = shown(&app);
    assert!(text.contains("noise 0.0610") && text.contains("within noise") && text.contains("too few"), "{text}");
    keys(&mut app, "jjj");
    press(&mut app, KeyCode::Enter);
    assert!(shown(&app).contains("never inferred"));
}

#[test]
fn the_log_filters_and_stands_still() {
    let mut app = filled(80, 16);
    keys(&mut app, "7/promote");
    press(&mut app, KeyCode::Enter);
    let text = shown(&app);
    assert!(text.contains("promote v000002") && !text.contains("397,884"), "{text}");
    press(&mut app, KeyCode::Esc);
    for seq in 0..40 {
        let kind = EventKind::Model(Box::new(models().remove(0)));
        app.update(Message::Event(Box::new(Event { seq, at: now().plus_millis(seq as i64), kind })));
    }
    keys(&mut app, "kkk");
    assert_eq!(app.log.back, 3);
    let before = shown(&app);
    app.update(Message::Event(Box::new(Event {
        seq: 99,
        at: now().plus_millis(99),
        kind: EventKind::Model(Box::new(models().remove(1))),
    })));
    assert_eq!(shown(&app), before, "new lines do not move what is being read");
    keys(&mut app, "G");
    assert_eq!(app.log.back, 0);
}

#[test]
fn bursts_of_interactions_are_one_line() {
    let mut app = filled(80, 24);
    let before = app.log.events.len();
    for seq in 0..50 {
        let kind = EventKind::Interactions { accepted: 1, total: 400_000 + seq };
        app.update(Message::Event(Box::new(Event { seq, at: now().plus_millis(10 * seq as i64), kind })));
    }
    // The twelve of a moment before are part of the burst, though a run was noted in between.
    assert_eq!(app.log.events.len(), before);
    assert!(app.log.events.iter().any(|entry| entry.text == "62 more, 400,049 in all"));
}

#[test]
fn progress_of_a_run_is_one_line_for_each_phase() {
    let mut app = filled(80, 24);
    app.log.events.clear();
    let mut moved = run();
    for step in 121..180 {
        moved.step = step;
        let at = now().plus_millis(20_000 * i64::try_from(step).unwrap());
        app.update(Message::Event(Box::new(Event { seq: step, at, kind: EventKind::Run(Box::new(moved.clone())) })));
    }
    moved.phase = RunPhase::Memory;
    app.update(Message::Event(Box::new(Event { seq: 200, at: now(), kind: EventKind::Run(Box::new(moved.clone())) })));
    moved.state = RunState::Failed;
    moved.error = Some("the disk is full".into());
    app.update(Message::Event(Box::new(Event { seq: 201, at: now(), kind: EventKind::Run(Box::new(moved)) })));
    let texts: Vec<_> = app.log.events.iter().map(|entry| entry.text.as_str()).collect();
    assert_eq!(
        texts,
        ["r000012 running, encoder 179/400", "r000012 running, memory 179/400", "r000012 failed: the disk is full"]
    );
}

#[test]
fn a_paste_never_runs_commands() {
    let mut app = filled(80, 24);
    assert!(app.update(Message::Paste("q\n5P\ny".into())).is_empty());
    assert_eq!((app.screen, &app.overlay), (ScreenId::Overview, &Overlay::None));
    keys(&mut app, "3/");
    app.update(Message::Paste("red\u{1b}[31m dress\n".into()));
    assert!(
        matches!(&asks(press(&mut app, KeyCode::Enter))[..], [Ask::Search { text, .. }] if text.ends_with("red [31m dress"))
    );
}

#[test]
fn the_mouse_moves_and_picks_tabs() {
    use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
    let mut app = filled(80, 24);
    let mouse = |kind, column, row| Message::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE });
    keys(&mut app, ":mouse");
    assert_eq!(press(&mut app, KeyCode::Enter), [Effect::Mouse(true)]);
    let column = shown(&app).lines().next().unwrap().find("5 Models").unwrap() as u16;
    app.update(mouse(MouseEventKind::Down(MouseButton::Left), column, 0));
    assert_eq!(app.screen, ScreenId::Models);
    app.update(mouse(MouseEventKind::ScrollDown, 5, 5));
    assert_eq!(app.models.selected, 1);
}

#[test]
fn the_footer_names_what_works_here() {
    for screen in ScreenId::ALL {
        let mut app = filled(200, 24);
        app.screen = screen;
        let footer = shown(&app).lines().last().unwrap().to_owned();
        for command in crate::tui::commands::COMMANDS.iter().filter(|c| c.applies(screen) && !c.footer.is_empty()) {
            let taken_over = command.keys[0] == "?" && screen == ScreenId::Reports
                || command.keys[0] == "/" && screen == ScreenId::Search;
            assert!(taken_over || footer.contains(command.footer), "{screen:?}: {} not in {footer}", command.footer);
        }
    }
}

#[test]
fn an_empty_shop_says_what_to_do_next() {
    let mut app = filled(80, 24);
    app.users = Default::default();
    app.update(Message::Reply(
        Ask::Users { prefix: String::new(), cursor: None },
        Box::new(Ok(Answer::Users(Page { items: vec![], next_cursor: None }))),
    ));
    app.update(Message::Reply(Ask::Runs, Box::new(Ok(Answer::Runs(vec![])))));
    app.update(Message::Reply(Ask::Models, Box::new(Ok(Answer::Models(vec![])))));
    app.search = Default::default();
    for (screen, next) in [
        (ScreenId::Users, "mercer import"),
        (ScreenId::Search, "/ begins"),
        (ScreenId::Training, "s starts one"),
        (ScreenId::Models, "4 trains"),
    ] {
        app.screen = screen;
        assert!(shown(&app).contains(next), "{screen:?}: {}", shown(&app));
    }
}
