//! What the daemon's answers and events do to the state.

use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{Event, EventKind};

use super::app::{App, Effect, Link};
use super::asks::{Answer, Ask};
use super::screens::{ScreenId, log, models, overview, training, users};

/// An answer, or why there is none.
pub(crate) fn reply(app: &mut App, ask: Ask, result: Result<Answer, Problem>) -> Vec<Effect> {
    match &result {
        Err(problem) if problem.code == Code::NotRunning => {}
        _ => app.heard = Some(app.now),
    }
    if ask.is_order() {
        return ordered(app, ask, result);
    }
    // An answer of an unexpected kind cannot come from `asks::ask`; it would be ignored.
    macro_rules! take {
        ($slot:expr, $kind:ident) => {
            match result {
                Ok(Answer::$kind(value)) => $slot.take(Ok(value)),
                Ok(_) => {}
                Err(problem) => $slot.take(Err(problem)),
            }
        };
    }
    match ask {
        Ask::Status => {
            let status = match result {
                Ok(Answer::Status(status)) => Ok(*status),
                Ok(_) => return Vec::new(),
                Err(problem) => Err(problem),
            };
            if let Ok(status) = &status {
                overview::sample(app, status);
            }
            app.status.take(status);
        }
        Ask::Users { prefix, cursor } => {
            return users::page(
                app,
                &prefix,
                cursor.is_some(),
                match result {
                    Ok(Answer::Users(page)) => Ok(page),
                    Ok(_) => return Vec::new(),
                    Err(problem) => Err(problem),
                },
            );
        }
        // Answers about what is no longer looked at are dropped.
        Ask::Profile(user) if app.users.open.as_ref() == Some(&user) => take!(app.users.profile, Profile),
        Ask::Recommend { user, mode, .. } if app.users.open.as_ref() == Some(&user) && app.users.mode == mode => {
            take!(app.users.list, List);
        }
        Ask::Search { text, .. } if app.search.text == text => {
            take!(app.search.list, List);
            return super::screens::search::found(app);
        }
        Ask::Related(item) if app.search.related_to.as_ref() == Some(&item) => take!(app.search.related, List),
        Ask::Runs => {
            take!(app.training.runs, Runs);
            return training::select(app);
        }
        Ask::Run(_) => {
            if let Ok(Answer::Run(run)) = result {
                training::update_run(app, *run);
            }
        }
        Ask::Models => take!(app.models.list, Models),
        Ask::Report(kind) => take!(app.reports.of(kind), Report),
        Ask::Decisions => take!(app.log.decisions, Decisions),
        Ask::Audit => take!(app.log.audit, Audit),
        _ => {}
    }
    Vec::new()
}

/// What came of an order.
fn ordered(app: &mut App, ask: Ask, result: Result<Answer, Problem>) -> Vec<Effect> {
    match result {
        Err(problem) => {
            app.say(format!("{}: {}; {}", problem.title, problem.detail, problem.hint), true);
            Vec::new()
        }
        Ok(Answer::Run(run)) => {
            let verb = if matches!(ask, Ask::Cancel(_)) { "is being cancelled" } else { "was started" };
            app.say(format!("{} {verb}", run.id), false);
            training::update_run(app, *run);
            vec![app.status.ask(Ask::Status)]
        }
        Ok(Answer::Model(model)) => {
            let text = match ask {
                Ask::Pin(_, true) => format!("{} is kept", model.version),
                Ask::Pin(_, false) => format!("{} may be deleted when it is old", model.version),
                _ => format!("{} serves", model.version),
            };
            app.say(text, false);
            models::update_model(app, *model);
            vec![app.status.ask(Ask::Status), app.models.list.ask(Ask::Models)]
        }
        Ok(_) => Vec::new(),
    }
}

/// The daemon tells something.
pub(crate) fn event(app: &mut App, event: Event) -> Vec<Effect> {
    log::note(app, &event);
    match event.kind {
        EventKind::Interactions { total, .. } => {
            if let Some(status) = &mut app.status.value {
                status.counts.interactions = status.counts.interactions.max(total);
            }
            if app.screen == ScreenId::Users {
                return users::touched(app);
            }
        }
        EventKind::Items { total, .. } => {
            if let Some(status) = &mut app.status.value {
                status.counts.items = total;
            }
        }
        EventKind::Run(run) => {
            if let Some(status) = &mut app.status.value {
                let newer = status.run.as_ref().is_none_or(|old| old.id <= run.id);
                if newer {
                    status.run = Some((*run).clone());
                }
            }
            training::update_run(app, *run);
        }
        EventKind::Model(model) => {
            models::update_model(app, *model);
            let mut effects = vec![app.status.ask(Ask::Status)];
            if app.screen == ScreenId::Models {
                effects.push(app.models.list.ask(Ask::Models));
            }
            return effects;
        }
        EventKind::Alarm(alarm) => {
            app.say(alarm.text.clone(), true);
            if let Some(status) = &mut app.status.value
                && !status.alarms.iter().any(|known| known.kind == alarm.kind)
            {
                status.alarms.push(alarm);
            }
        }
        EventKind::Stopping => {
            app.link = Link::Down { attempt: 1, again: app.now.plus_millis(1000) };
            app.refusal = Some(Problem::new(Code::Unavailable, "the daemon is stopping"));
        }
        _ => {}
    }
    Vec::new()
}
