//! Screen 5: model versions with their metrics and gate decisions; compare, promote, roll back, pin.

use mercer_shared::wire::{Event, EventKind, GateReport, GateVerdict, MetricValue, ModelState, ModelVersion};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::model_detail::{self, Shown};
use crate::text;
use crate::tui::ask::{Answer, Ask, Reply};
use crate::tui::command::{Action, Command, FILTER, NEXT_TAB, OPEN, PREVIOUS_TAB};
use crate::tui::context::Context;
use crate::tui::overlays::confirm::Confirm;
use crate::tui::overlays::prompt::Prompt;
use crate::tui::pane::content;
use crate::tui::remote::Remote;
use crate::tui::screen::{About, Screen};
use crate::tui::theme;
use crate::tui::widgets::draw::{say, span};
use crate::tui::widgets::split::{split_top, split_with_rule};
use crate::tui::widgets::states::{gate_verdict, model_state};
use crate::tui::widgets::table::{Table, number, wide, words};

const ABOUT: About = About {
    title: "Models",
    name: "models",
    help: "Versions: compare, promote, roll back, pin",
    lists: true,
    commands: &[
        Command::new(
            Action::Compare,
            "compare",
            &["c", "space"],
            "Mark a version, then another, to see both side by side",
        )
        .footer("compare"),
        Command::new(Action::Promote, "promote", &["P"], "Let the selected version answer; asks first")
            .footer("promote"),
        Command::new(Action::Rollback, "roll back", &["B"], "Go back to the version that served before; asks first")
            .footer("roll back"),
        Command::new(Action::Pin, "pin", &["p"], "Keep the selected version for good, or stop keeping it; asks")
            .footer("pin"),
        FILTER,
        OPEN,
        NEXT_TAB,
        PREVIOUS_TAB,
    ],
};

/// Columns from which on the versions stand beside the selected one.
const TWO_PANES: u16 = 130;
/// Most rows of the versions above the selected one.
const VERSION_ROWS: u16 = 8;
/// Columns of the gate's reason in a question; the screen behind it has all of it.
const REASON: usize = 160;

/// The screen.
#[derive(Debug, Default)]
pub(crate) struct Models {
    /// Versions, newest first.
    pub list: Remote<Vec<ModelVersion>>,
    /// The selected one among those that pass the filter.
    pub selected: usize,
    /// The filter on version, state and encoder.
    filter: String,
    /// The version marked for comparison.
    marked: Option<String>,
    /// Rows by which the detail is scrolled.
    scroll: usize,
    /// Whether keys scroll the detail.
    inside: bool,
}

impl Screen for Models {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn load(&mut self, context: &mut Context) {
        context.ask(&mut self.list, Ask::Models);
    }

    fn act(&mut self, action: Action, _argument: Option<String>, context: &mut Context) {
        match action {
            Action::Promote => self.promote(context),
            Action::Rollback => self.roll_back(context),
            Action::Pin => self.pin(context),
            Action::Compare => self.mark(context),
            Action::Filter => context.open(Prompt::filter("filter ", &self.filter)),
            Action::NextTab | Action::PreviousTab | Action::Open => self.inside = !self.inside,
            Action::Right => self.inside = true,
            Action::Back | Action::Left if self.inside => self.inside = false,
            Action::Back if self.marked.is_some() => self.marked = None,
            Action::Back => self.filter.clear(),
            action if self.inside => {
                let columns = usize::from(context.size.width);
                let rows = self.selected().map(|version| {
                    let shown = Shown { version, marked: self.compared_with(version) };
                    model_detail::rows(shown, context.daemon_now(), columns).len()
                });
                self.scroll = action.moved(self.scroll, rows.unwrap_or(0), context.page()).unwrap_or(self.scroll);
            }
            action => {
                if let Some(next) = action.moved(self.selected, self.shown().len(), context.page()) {
                    self.selected = next;
                    self.scroll = 0;
                }
            }
        }
    }

    fn filter(&mut self, text: String, _context: &mut Context) {
        self.filter = text;
        self.selected = 0;
    }

    fn reply(&mut self, reply: Reply, context: &mut Context) -> Option<Reply> {
        let said = match &reply.ask {
            Ask::Models => {
                self.list.take(reply.result);
                return None;
            }
            Ask::Promote(_) | Ask::Rollback => "serves",
            Ask::Pin(_, true) => "is kept",
            Ask::Pin(_, false) => "may be deleted when it is old",
            _ => return Some(reply),
        };
        if let Ok(Answer::Model(version)) = reply.result {
            context.say(format!("{} {said}", version.version));
            self.update(*version);
            context.ask_status();
            context.ask(&mut self.list, Ask::Models);
        }
        None
    }

    fn event(&mut self, event: &Event, shown: bool, context: &mut Context) {
        let EventKind::Model(version) = &event.kind else { return };
        self.update((**version).clone());
        context.ask_status();
        if shown {
            context.ask(&mut self.list, Ask::Models);
        }
    }

    fn view(&self, context: &Context, area: Rect, buf: &mut Buffer) {
        let Some(all) = content(context, &self.list, "versions", area, buf) else { return };
        if all.is_empty() {
            let next = "The first is built when items are loaded; 4 trains the next";
            return say(buf, area, "No version yet", next);
        }
        let shown = self.shown();
        let Some(version) = self.selected() else {
            return say(buf, area, "No version contains these words", "esc clears the filter");
        };
        let detail = if area.width >= TWO_PANES {
            let (left, right) = split_with_rule(buf, area, area.width * 9 / 20);
            self.view_versions(&shown, context, left, buf);
            right
        } else {
            let rows = u16::try_from(shown.len()).unwrap_or(u16::MAX).saturating_add(2);
            let (top, bottom) = split_top(area, VERSION_ROWS.min(rows).min(area.height / 2));
            self.view_versions(&shown, context, top, buf);
            bottom
        };
        let shown = Shown { version, marked: self.compared_with(version) };
        model_detail::view(shown, context.daemon_now(), self.scroll, detail, buf);
    }
}

impl Models {
    /// Versions that pass the filter.
    fn shown(&self) -> Vec<&ModelVersion> {
        let filter = self.filter.to_lowercase();
        let passes = |model: &&ModelVersion| {
            let pinned = if model.pinned { "pinned" } else { "" };
            let words = format!("{} {} {} {pinned}", model.version, text::model_state(model), model.encoder.name);
            words.to_lowercase().contains(&filter)
        };
        self.list.value.iter().flatten().filter(passes).collect()
    }

    fn selected(&self) -> Option<&ModelVersion> {
        let shown = self.shown();
        shown.get(self.selected.min(shown.len().saturating_sub(1))).copied()
    }

    /// The marked version, if it is another one than this.
    fn compared_with(&self, version: &ModelVersion) -> Option<&ModelVersion> {
        let marked = self.marked.as_ref().filter(|marked| **marked != version.version)?;
        self.list.value.iter().flatten().find(|model| model.version == *marked)
    }

    fn serving(&self) -> Option<&ModelVersion> {
        self.list.value.iter().flatten().find(|model| model.state == ModelState::Serving)
    }

    /// A version appeared or changed.
    fn update(&mut self, model: ModelVersion) {
        let Some(list) = &mut self.list.value else { return };
        if model.state == ModelState::Serving {
            let others = list.iter_mut().filter(|other| other.version != model.version);
            for other in others.filter(|other| other.state == ModelState::Serving) {
                other.state = ModelState::Retired;
            }
        }
        match list.iter_mut().find(|known| known.version == model.version) {
            Some(known) => *known = model,
            None => list.insert(0, model),
        }
    }

    /// Marks the selected version for comparison, or takes the mark away.
    fn mark(&mut self, context: &mut Context) {
        let Some(version) = self.selected().map(|model| model.version.clone()) else { return };
        if self.marked.as_ref() == Some(&version) {
            self.marked = None;
            return;
        }
        if self.marked.is_none() {
            context.say(format!("{version} is marked; select another to see both"));
        }
        self.marked = Some(version);
    }

    fn promote(&self, context: &mut Context) {
        let Some(model) = self.selected() else { return };
        if model.state == ModelState::Serving {
            return context.refuse(format!("{} serves already", model.version));
        }
        let now = self.serving().map_or("no version", |model| model.version.as_str());
        let gate = match &model.gate {
            Some(gate) if gate.verdict != GateVerdict::Promote => {
                let word = gate_verdict(gate.verdict).content;
                format!("The gate did not pass it ({word}): {}", text::cut(&gate.reason, REASON))
            }
            Some(gate) => format!("The gate passed it: {}", text::cut(&gate.reason, REASON)),
            None => "The gate has not seen it.".to_owned(),
        };
        let version = &model.version;
        context.open(Confirm {
            title: format!("Promote {version}?"),
            paragraphs: vec![
                format!("{version} answers all requests from now on, in place of {now}. No request is dropped."),
                gate,
                "B goes back. The change is noted in the audit log.".to_owned(),
            ],
            order: Ask::Promote(version.clone()),
            verb: "promote",
        });
    }

    fn roll_back(&self, context: &mut Context) {
        let Some(current) = self.serving().map(|model| &model.version) else {
            return context.refuse("No version serves");
        };
        let retired = self.list.value.iter().flatten().filter(|model| model.state == ModelState::Retired);
        let Some(before) = retired.max_by_key(|model| model.promoted).map(|model| &model.version) else {
            return context.refuse("No version served before this one");
        };
        context.open(Confirm {
            title: "Roll back?".to_owned(),
            paragraphs: vec![
                format!(
                    "{before}, which served before {current}, answers all requests from now on. No request is dropped."
                ),
                format!("{current} stays and can be promoted again. The change is noted in the audit log."),
            ],
            order: Ask::Rollback,
            verb: "roll back",
        });
    }

    fn pin(&self, context: &mut Context) {
        let Some(model) = self.selected() else { return };
        let version = model.version.clone();
        let (title, line, verb) = if model.pinned {
            (format!("Stop keeping {version}?"), "It may be deleted when it is old.", "unpin")
        } else {
            (format!("Keep {version}?"), "It stays when old versions are deleted.", "pin")
        };
        let order = Ask::Pin(version, !model.pinned);
        context.open(Confirm { title, paragraphs: vec![line.to_owned()], order, verb });
    }

    fn view_versions(&self, shown: &[&ModelVersion], context: &Context, area: Rect, buf: &mut Buffer) {
        let now = context.daemon_now();
        let columns = [
            words("version", 0),
            words("state", 0),
            words("kept", 5),
            number("ndcg all", 1),
            number("ndcg novel", 2),
            number("vs serving", 3),
            words("gate", 2),
            wide("made", 8),
            number("size", 6),
        ];
        let rows = shown.iter().map(|model| {
            let value = |slice: &str| Line::from(text::maybe(metric(model, slice).and_then(|metric| metric.value)));
            let mark = if self.marked.as_ref() == Some(&model.version) { " ●" } else { "" };
            let gate = model.gate.as_ref();
            vec![
                Line::from(vec![span(text::clean(&model.version), theme::PLAIN), span(mark, theme::WARN)]),
                Line::from(model_state(model)),
                Line::styled(if model.pinned { "kept" } else { "" }, theme::ACCENT),
                value("repeat"),
                value("new"),
                Line::from(gate.and_then(difference).map_or_else(|| "-".to_owned(), text::signed)),
                Line::from(gate.map_or_else(|| span("-", theme::QUIET), |gate| gate_verdict(gate.verdict))),
                Line::styled(text::ago(model.created, now), theme::QUIET),
                Line::styled(text::bytes(model.bytes), theme::QUIET),
            ]
        });
        let selected = Some(self.selected.min(shown.len().saturating_sub(1)));
        Table { columns: &columns, rows: rows.collect(), selected, focused: !self.inside }.draw(area, buf);
    }
}

/// The NDCG of a version on a slice of the wire.
fn metric<'a>(model: &'a ModelVersion, slice: &str) -> Option<&'a MetricValue> {
    model.metrics.iter().find(|metric| metric.slice == slice && metric.name.starts_with("ndcg"))
}

/// The deciding difference of a gate.
fn difference(gate: &GateReport) -> Option<f64> {
    gate.comparisons.first().map(|comparison| comparison.difference)
}
