//! The screens: which there are, and who draws and steers each.

pub(crate) mod log;
pub(crate) mod model_detail;
pub(crate) mod models;
pub(crate) mod overview;
pub(crate) mod profile;
pub(crate) mod reports;
pub(crate) mod search;
pub(crate) mod served;
pub(crate) mod training;
pub(crate) mod users;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::app::{App, Effect};
use super::commands::Action;

/// A screen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) enum ScreenId {
    /// What serves.
    #[default]
    Overview,
    /// Shoppers.
    Users,
    /// Searching.
    Search,
    /// Training runs.
    Training,
    /// Model versions.
    Models,
    /// Quality, diversity, fairness.
    Reports,
    /// What happened.
    Log,
}

impl ScreenId {
    /// All, in the order of their numbers.
    pub(crate) const ALL: [Self; 7] =
        [Self::Overview, Self::Users, Self::Search, Self::Training, Self::Models, Self::Reports, Self::Log];

    /// Its title.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Users => "Users",
            Self::Search => "Search",
            Self::Training => "Training",
            Self::Models => "Models",
            Self::Reports => "Reports",
            Self::Log => "Log",
        }
    }

    /// Its place among [`Self::ALL`].
    pub(crate) fn index(self) -> usize {
        Self::ALL.iter().position(|screen| *screen == self).unwrap_or(0)
    }

    /// The screen so many places further, around the end.
    pub(crate) fn step(self, by: usize) -> Self {
        Self::ALL[(self.index() + by) % Self::ALL.len()]
    }
}

/// Draws the current screen.
pub(crate) fn view(app: &App, area: Rect, buf: &mut Buffer) {
    match app.screen {
        ScreenId::Overview => overview::view(app, area, buf),
        ScreenId::Users => users::view(app, area, buf),
        ScreenId::Search => search::view(app, area, buf),
        ScreenId::Training => training::view(app, area, buf),
        ScreenId::Models => models::view(app, area, buf),
        ScreenId::Reports => reports::view(app, area, buf),
        ScreenId::Log => log::view(app, area, buf),
    }
}

/// Asks for what the current screen shows: on entering it, on `refresh`, and after the daemon came back.
pub(crate) fn load(app: &mut App) -> Vec<Effect> {
    match app.screen {
        ScreenId::Overview => Vec::new(),
        ScreenId::Users => users::load(app),
        ScreenId::Search => search::load(app),
        ScreenId::Training => training::load(app),
        ScreenId::Models => models::load(app),
        ScreenId::Reports => reports::load(app),
        ScreenId::Log => log::load(app),
    }
}

/// Lets the current screen act.
pub(crate) fn act(app: &mut App, action: Action, argument: Option<String>) -> Vec<Effect> {
    match app.screen {
        ScreenId::Overview => Vec::new(),
        ScreenId::Users => users::act(app, action, argument),
        ScreenId::Search => search::act(app, action, argument),
        ScreenId::Training => training::act(app, action),
        ScreenId::Models => models::act(app, action),
        ScreenId::Reports => reports::act(app, action),
        ScreenId::Log => log::act(app, action),
    }
}
