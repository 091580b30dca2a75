//! The sink of imports: writes documents into the shop, or tells what writing them would do.

use std::cell::RefCell;

use mercer_import::{DryRun, Outcome, Sink};
use mercer_shared::ids::{ItemId, UserId};
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{DeletedItem, Interaction, Item, User};
use mercer_store::{Appended, Change, ConsentOrigin};
use rustc_hash::FxHashSet;

use crate::ingest::{users, write};
use crate::state::app::App;
use crate::state::problems::Answer;

/// Writes documents into the shop.
pub(super) struct ShopSink<'a> {
    app: &'a App,
    /// Where the documents come from.
    origin: ConsentOrigin,
    /// The state of a dry run; `None` for a real one.
    dry: Option<Dry>,
    /// The problem that ended the import; every later line is refused with it.
    pub(super) broken: Option<Problem>,
    /// Shoppers who keep a withdrawal that the file would have undone.
    pub(super) kept: FxHashSet<UserId>,
}

/// What a dry run would have written so far.
#[derive(Default)]
struct Dry {
    file: DryRun,
    items: FxHashSet<ItemId>,
}

impl<'a> ShopSink<'a> {
    /// A sink for documents of one origin; it writes nothing in a dry run.
    pub(super) fn new(app: &'a App, origin: ConsentOrigin, dry_run: bool) -> Self {
        Self { app, origin, dry: dry_run.then(Dry::default), broken: None, kept: FxHashSet::default() }
    }
}

impl ShopSink<'_> {
    /// Writes a batch and returns one outcome per line.
    fn write<T, C>(
        &mut self,
        lines: Vec<T>,
        write: impl Fn(&App, Vec<T>) -> Vec<Answer<C>>,
        new: impl Fn(&C) -> bool,
    ) -> Vec<Outcome> {
        let count = lines.len();
        let mut answers = if self.goes_on() { write(self.app, lines) } else { Vec::new() }.into_iter();
        let mut outcomes = Vec::with_capacity(count);
        for _ in 0..count {
            let answer = match (&self.broken, answers.next()) {
                (_, Some(answer)) => answer,
                (Some(problem), None) => Err(problem.clone()),
                (None, None) => Err(Problem::new(Code::Internal, "the line got no answer")),
            };
            outcomes.push(match answer {
                Ok(written) if new(&written) => Outcome::Accepted,
                Ok(_) => Outcome::Duplicate,
                Err(problem) => {
                    if fatal(problem.code) {
                        self.broken.get_or_insert_with(|| problem.clone());
                    }
                    Outcome::Rejected(problem.code, problem.detail)
                }
            });
        }
        outcomes
    }

    /// Whether more can be written. Ends the import if the daemon is stopping.
    fn goes_on(&mut self) -> bool {
        if self.app.is_stopping() {
            self.broken.get_or_insert_with(|| Problem::new(Code::Unavailable, "the daemon stops"));
        }
        self.broken.is_none()
    }
}

/// Whether a refusal ends the import, because it concerns the daemon and not the line.
const fn fatal(code: Code) -> bool {
    matches!(code, Code::ReadOnly | Code::Unavailable | Code::Internal)
}

/// Corrects the outcomes of a dry run by what the shop knows: `known` gives the outcome of a line that the file alone
/// accepts, if it differs.
fn with_shop<T>(lines: &[T], outcomes: Vec<Outcome>, known: impl Fn(&T) -> Option<Outcome>) -> Vec<Outcome> {
    let answer = |(line, outcome): (&T, Outcome)| match outcome {
        Outcome::Accepted => known(line).unwrap_or(Outcome::Accepted),
        other => other,
    };
    lines.iter().zip(outcomes).map(answer).collect()
}

fn erased(app: &App, user: &UserId) -> Option<Outcome> {
    app.store.is_erased(user).then(|| Outcome::Rejected(Code::Erased, "the user was erased".to_owned()))
}

impl Sink for ShopSink<'_> {
    fn items(&mut self, items: Vec<Item>) -> Vec<Outcome> {
        let Some(dry) = &mut self.dry else {
            return self.write(items, write::items, |change| *change != Change::Same);
        };
        let view = self.app.view();
        let outcomes = dry.file.items(items.clone());
        dry.items.extend(items.iter().map(|item| item.id.clone()));
        with_shop(&items, outcomes, |item| {
            let known = view.item(view.item_number(item.id.as_str())?)?;
            (**known == *item).then_some(Outcome::Duplicate)
        })
    }

    fn deleted_items(&mut self, deleted: Vec<DeletedItem>) -> Vec<Outcome> {
        let Some(dry) = &mut self.dry else {
            return self.write(deleted, write::deleted_items, |change| *change != Change::Same);
        };
        let outcomes = dry.file.deleted_items(deleted.clone());
        dry.items.extend(deleted.iter().map(|item| item.id.clone()));
        with_shop(&deleted, outcomes, |item| {
            self.app.store.is_deleted_item(&item.id).is_ok_and(|known| known).then_some(Outcome::Duplicate)
        })
    }

    fn users(&mut self, users: Vec<User>) -> Vec<Outcome> {
        let Some(dry) = &mut self.dry else {
            let origin = self.origin.clone();
            let ids: Vec<UserId> = users.iter().map(|user| user.id.clone()).collect();
            let kept = RefCell::new(FxHashSet::default());
            let write = |app: &App, lines| {
                let answers = users::outcomes(app, lines, &origin);
                let is_kept = |answer: &Answer<users::UserOutcome>| answer.as_ref().is_ok_and(|one| one.consent_kept);
                let of_kept = ids.iter().zip(&answers).filter(|(_, answer)| is_kept(answer)).map(|(id, _)| id.clone());
                kept.borrow_mut().extend(of_kept);
                answers
            };
            let outcomes = self.write(users, write, |one| one.change != Change::Same);
            self.kept.extend(kept.into_inner());
            return outcomes;
        };
        let outcomes = dry.file.users(users.clone());
        let kept = RefCell::new(FxHashSet::default());
        let outcomes = with_shop(&users, outcomes, |user| {
            erased(self.app, &user.id).or_else(|| {
                let known = self.app.store.stored_user(&user.id).ok().flatten()?;
                let effect = known.effect_of(user.clone(), &self.origin);
                if effect.consent_kept {
                    kept.borrow_mut().insert(user.id.clone());
                }
                (!effect.changes).then_some(Outcome::Duplicate)
            })
        });
        self.kept.extend(kept.into_inner());
        outcomes
    }

    fn interactions(&mut self, interactions: Vec<Interaction>) -> Vec<Outcome> {
        let Some(dry) = &mut self.dry else {
            let origin = self.origin.clone();
            let write = move |app: &App, lines| write::interactions(app, lines, &origin);
            return self.write(interactions, write, |done| matches!(done, Appended::Accepted(_)));
        };
        let view = self.app.view();
        let outcomes = dry.file.interactions(interactions.clone());
        with_shop(&interactions, outcomes, |interaction| {
            if self.app.store.holds(interaction) {
                return Some(Outcome::Duplicate);
            }
            let gone = interaction.user.as_ref().and_then(|user| erased(self.app, user));
            gone.or_else(|| {
                let item = interaction.item.as_ref()?;
                let known = view.item_index.contains_key(item)
                    || dry.items.contains(item)
                    || self.app.store.is_deleted_item(item).is_ok_and(|known| known);
                (!known).then(|| Outcome::Rejected(Code::UnknownItem, format!("there is no item `{item}`")))
            })
        })
    }

    /// A log that names an item without describing it must not replace what the catalogue says of it.
    fn knows_item(&self, id: &ItemId) -> bool {
        self.app.view().item_index.contains_key(id)
    }

    fn ends(&mut self) -> Option<Problem> {
        self.goes_on();
        self.broken.clone()
    }
}
