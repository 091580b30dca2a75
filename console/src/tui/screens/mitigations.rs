//! Screen 8: what re-ranks the lists of each placement, and what it costs; measure, set, undo, turn off.

use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{Mitigation, MitigationPrice, MitigationSettings, Placement, PriceStatus, Reranker};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::mitigation_detail::{formulas, in_force, what_if};
use super::mitigation_questions as questions;
use crate::mitigations::{MitigationDraft, price_word, rerankers};
use crate::text;
use crate::tui::ask::{Answer, Ask, Reply};
use crate::tui::command::{Action, Command, NEXT_TAB, OPEN, PREVIOUS_TAB};
use crate::tui::context::Context;
use crate::tui::overlays::confirm::Confirm;
use crate::tui::overlays::prompt::Prompt;
use crate::tui::pane::content;
use crate::tui::remote::Remote;
use crate::tui::screen::{About, Screen};
use crate::tui::theme;
use crate::tui::widgets::draw::{lines, say};
use crate::tui::widgets::input::LONGEST;
use crate::tui::widgets::split::{split_top, split_with_rule};
use crate::tui::widgets::table::{Table, label, number, wide, words};

const ABOUT: About = About {
    title: "Mitigations",
    name: "mitigations",
    help: "Re-rankers of each placement with their price; measure, set, undo",
    lists: true,
    commands: &[
        Command::new(
            Action::WhatIf,
            "what-if",
            &["w"],
            "Measure what settings would cost, as mercer mitigation what-if takes them; changes nothing",
        )
        .footer("what-if")
        .argument("SETTINGS"),
        Command::new(Action::SetMitigation, "mitigate", &["s"], "Set mitigations; shows the price and asks first")
            .footer("set")
            .argument("SETTINGS"),
        Command::new(
            Action::UndoMitigation,
            "undo mitigation",
            &["u"],
            "Bring back what was in force before; asks first",
        )
        .footer("undo"),
        Command::new(
            Action::MitigationOff,
            "mitigation off",
            &["x"],
            "Turn the placement's mitigations off; asks first",
        )
        .footer("off"),
        Command::new(Action::Formula, "formula", &["f"], "Show how the numbers of the price are computed")
            .footer("formula"),
        OPEN,
        NEXT_TAB,
        PREVIOUS_TAB,
    ],
};

/// Columns from which on the placements stand beside the selected one.
const TWO_PANES: u16 = 150;
/// Most rows of the placements above the selected one.
const PLACEMENT_ROWS: u16 = 7;

/// Settings whose price is asked, and the answer.
#[derive(Debug)]
struct Pricing {
    draft: MitigationDraft,
    price: Remote<Box<MitigationPrice>>,
    /// Whether they are to be set once the price is known.
    then_set: bool,
}

/// The screen.
#[derive(Debug, Default)]
pub(crate) struct Mitigations {
    /// Placements for which something was ever set.
    list: Remote<Vec<Mitigation>>,
    /// The selected placement.
    selected: Option<Placement>,
    /// The selected placement in full.
    shown: Remote<Box<Mitigation>>,
    /// What is measured or was measured last, until it is left.
    pricing: Option<Pricing>,
    /// Rows by which the detail is scrolled.
    scroll: usize,
    /// Whether keys scroll the detail.
    inside: bool,
}

impl Screen for Mitigations {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn load(&mut self, context: &mut Context) {
        context.ask(&mut self.list, Ask::Mitigations);
        if let Some(placement) = self.selected.clone() {
            context.ask(&mut self.shown, Ask::Mitigation(placement));
        }
    }

    fn poll(&mut self, context: &mut Context) {
        // The stream carries no changes of mitigations.
        if !self.list.loading {
            context.ask(&mut self.list, Ask::Mitigations);
        }
    }

    fn act(&mut self, action: Action, argument: Option<String>, context: &mut Context) {
        match action {
            Action::WhatIf | Action::SetMitigation => match argument {
                Some(line) => self.take_line(action, &line, context),
                None => self.type_line(action, context),
            },
            Action::UndoMitigation => self.ask_about(questions::undo, context),
            Action::MitigationOff => self.ask_about(questions::off, context),
            Action::Formula => match self.price() {
                Some(price) => context.open(formulas(price)),
                None => context.refuse("There is no price yet; w measures one"),
            },
            Action::NextTab | Action::PreviousTab | Action::Open => self.inside = !self.inside,
            Action::Right => self.inside = true,
            Action::Back | Action::Left if self.inside => self.inside = false,
            Action::Back => (self.pricing, self.scroll) = (None, 0),
            action if self.inside => {
                let rows = self.detail(usize::from(context.size.width)).len();
                self.scroll = action.moved(self.scroll, rows, context.page()).unwrap_or(self.scroll);
            }
            action => self.select(action, context),
        }
    }

    fn reply(&mut self, reply: Reply, context: &mut Context) -> Option<Reply> {
        match reply.ask {
            Ask::Mitigations => {
                self.list.take(reply.result);
                self.renew(context);
            }
            Ask::Mitigation(placement) => {
                if self.selected.as_ref() == Some(&placement) {
                    self.shown.take(reply.result);
                }
            }
            Ask::PriceMitigation(draft) => self.take_price(&draft, reply.result, context),
            Ask::SetMitigation(_) | Ask::UndoMitigation(_) | Ask::MitigationOff(_) => {
                if let Ok(Answer::Mitigation(mitigation)) = reply.result {
                    let Mitigation { placement, current, .. } = &*mitigation;
                    context.say(format!("{placement}: version {} is in force from the next list on", current.version));
                    self.selected = Some(placement.clone());
                    (self.pricing, self.scroll) = (None, 0);
                    self.shown.keep(Ok(mitigation));
                    context.ask(&mut self.list, Ask::Mitigations);
                }
            }
            ask => return Some(Reply { ask, result: reply.result }),
        }
        None
    }

    fn view(&self, context: &Context, area: Rect, buf: &mut Buffer) {
        let Some(all) = content(context, &self.list, "mitigations", area, buf) else { return };
        if all.is_empty() && self.pricing.is_none() {
            let next = "w measures what one would cost, s sets one and asks first";
            return say(buf, area, "No mitigation was ever set: all lists are as the model orders them", next);
        }
        let detail = if all.is_empty() {
            area
        } else if area.width >= TWO_PANES {
            let (left, right) = split_with_rule(buf, area, area.width * 2 / 5);
            self.view_placements(all, left, buf);
            right
        } else {
            let rows = u16::try_from(all.len()).unwrap_or(u16::MAX).saturating_add(2);
            let (top, bottom) = split_top(area, PLACEMENT_ROWS.min(rows).min(area.height / 2));
            self.view_placements(all, top, buf);
            bottom
        };
        if self.pricing.is_none() && content(context, &self.shown, "placement", detail, buf).is_none() {
            return;
        }
        let rows = self.detail(usize::from(detail.width));
        let first = self.scroll.min(rows.len().saturating_sub(usize::from(detail.height)));
        lines(buf, detail, &rows[first..]);
    }
}

impl Mitigations {
    /// The rows of the detail: what is measured, or what is in force.
    fn detail(&self, columns: usize) -> Vec<Line<'static>> {
        match (&self.pricing, &self.shown.value) {
            (Some(pricing), _) => what_if(&pricing.draft, &pricing.price, columns),
            (None, Some(shown)) => in_force(shown, columns),
            (None, None) => Vec::new(),
        }
    }

    /// The price in sight.
    fn price(&self) -> Option<&MitigationPrice> {
        match &self.pricing {
            Some(pricing) => pricing.price.value.as_deref(),
            None => self.shown.value.as_ref().and_then(|shown| shown.price.as_ref()),
        }
    }

    /// The place of the selected placement in the list.
    fn place(&self) -> usize {
        let all = self.list.value.iter().flatten();
        let mut places = all.enumerate().filter(|(_, one)| self.selected.as_ref() == Some(&one.placement));
        places.next().map_or(0, |(place, _)| place)
    }

    fn select(&mut self, action: Action, context: &mut Context) {
        let Some(all) = &self.list.value else { return };
        let Some(next) = action.moved(self.place(), all.len(), context.page()) else { return };
        let placement = all.get(next).map(|one| one.placement.clone());
        if placement.is_some() && placement != self.selected {
            self.selected = placement;
            (self.pricing, self.scroll) = (None, 0);
            self.shown = Remote::default();
            self.load(context);
        }
    }

    /// Asks for the selected placement in full where the list shows that it changed.
    fn renew(&mut self, context: &mut Context) {
        let Some(one) = self.list.value.as_ref().and_then(|all| all.get(self.place())) else { return };
        let known = self.shown.value.as_ref().is_some_and(|shown| {
            shown.placement == one.placement
                && shown.current.version == one.current.version
                && shown.price_status == one.price_status
        });
        if !known && !self.shown.loading {
            let placement = one.placement.clone();
            self.selected = Some(placement.clone());
            context.ask(&mut self.shown, Ask::Mitigation(placement));
        }
    }

    /// Lets settings be typed, beginning with those in sight.
    fn type_line(&self, action: Action, context: &mut Context) {
        let draft = match (&self.pricing, &self.shown.value) {
            (Some(pricing), _) => pricing.draft.clone(),
            (None, shown) => {
                let current = shown.as_ref().map(|shown| shown.current.rerankers.clone()).unwrap_or_default();
                let rerankers = if current.is_empty() { vec![Reranker::Mmr { lambda: 0.7 }] } else { current };
                let Some(placement) = self.selected.clone().or_else(|| Placement::new(Placement::DEFAULT).ok()) else {
                    return;
                };
                MitigationDraft { placement, settings: MitigationSettings { rerankers, note: None } }
            }
        };
        let line = draft.line();
        if line.chars().count() > LONGEST {
            return context.refuse("These settings are too long for a line; use mercer mitigation with a file");
        }
        let label = if action == Action::WhatIf { "what-if " } else { "set " };
        context.open(Prompt::command(label, action, &line));
    }

    /// Takes settings that were typed.
    fn take_line(&mut self, action: Action, line: &str, context: &mut Context) {
        let Some(placement) = self.selected.clone().or_else(|| Placement::new(Placement::DEFAULT).ok()) else { return };
        let draft = match MitigationDraft::parse(line, &placement) {
            Ok(draft) => draft,
            Err(why) => return context.refuse(why),
        };
        let set = action == Action::SetMitigation;
        if set && (draft.settings.rerankers.is_empty() || self.price_of(&draft, context).is_some()) {
            return self.ask_to_set(&draft, context);
        }
        if set {
            context.say("Measuring the price first; then it asks");
        }
        let mut price = Remote::default();
        context.ask(&mut price, Ask::PriceMitigation(draft.clone()));
        self.pricing = Some(Pricing { draft, price, then_set: set });
        self.scroll = 0;
    }

    /// The price of settings on the serving version, if it is known.
    fn price_of(&self, draft: &MitigationDraft, context: &Context) -> Option<&MitigationPrice> {
        let measured = self.pricing.iter().filter_map(|pricing| pricing.price.value.as_deref());
        let kept = self.shown.value.iter().filter_map(|shown| shown.price.as_ref());
        let serving = context.status.value.as_ref().map(|status| status.model.version.as_str());
        measured.chain(kept).find(|price| {
            price.placement == draft.placement
                && price.rerankers == draft.settings.rerankers
                && Some(price.model.as_str()) == serving
        })
    }

    /// Takes a price, or why there is none.
    fn take_price(&mut self, draft: &MitigationDraft, result: Result<Answer, Problem>, context: &mut Context) {
        let Some(pricing) = self.pricing.as_mut().filter(|pricing| pricing.draft == *draft) else { return };
        pricing.price.take(result);
        let then_set = std::mem::take(&mut pricing.then_set);
        let problem = pricing.price.problem.clone();
        match problem {
            // Settings that are wrong cannot be set either. Others can, although their price is not known.
            Some(problem) if !then_set || !matches!(problem.code, Code::NotEnoughData | Code::Unavailable) => {
                context.refuse(format!("{}: {}; {}", problem.title, problem.detail, problem.hint));
            }
            _ if then_set => self.ask_to_set(draft, context),
            _ => {}
        }
    }

    fn ask_to_set(&self, draft: &MitigationDraft, context: &mut Context) {
        let now = self.list.value.iter().flatten().find(|one| one.placement == draft.placement);
        let problem = self.pricing.as_ref().and_then(|pricing| pricing.price.problem.as_ref());
        let price = self.price_of(draft, context).ok_or(problem);
        context.open(questions::set(draft, now, price));
    }

    /// Opens a question about the selected placement; says why not where it cannot be asked.
    fn ask_about(&self, question: impl Fn(&Mitigation) -> Result<Confirm, String>, context: &mut Context) {
        let Some(shown) = self.shown.value.as_deref() else {
            let loading = self.shown.loading || self.list.loading;
            return context.refuse(if loading {
                "The placement is still being fetched"
            } else {
                "Nothing was ever set"
            });
        };
        match question(shown) {
            Ok(confirm) => context.open(confirm),
            Err(why) => context.refuse(why),
        }
    }

    fn view_placements(&self, all: &[Mitigation], area: Rect, buf: &mut Buffer) {
        let columns = [
            label("placement", 9),
            number("version", 2),
            words("changed, UTC", 3),
            words("uid", 4),
            words("price", 1),
            wide("re-rankers", 16),
        ];
        let rows = all.iter().map(|one| {
            vec![
                Line::from(one.placement.to_string()),
                Line::from(one.current.version.to_string()),
                Line::styled(text::unmarked_moment(one.current.changed), theme::QUIET),
                Line::styled(one.current.uid.map(|uid| uid.to_string()).unwrap_or_default(), theme::QUIET),
                Line::styled(
                    price_word(one),
                    if one.price_status == PriceStatus::Measured { theme::GOOD } else { theme::QUIET },
                ),
                Line::from(rerankers(&one.current.rerankers)),
            ]
        });
        Table { columns: &columns, rows: rows.collect(), selected: Some(self.place()), focused: !self.inside }
            .draw(area, buf);
    }
}
