//! The thread that makes applied changes visible to readers.

use std::sync::Arc;
use std::time::Duration;

use crate::state::app::App;

/// Time between two publications. Well inside the promise of one second for interactions and two for items.
pub(crate) const PUBLISH: Duration = Duration::from_millis(40);

pub(crate) fn run(app: &Arc<App>) {
    while !app.is_stopping() {
        app.publish();
        std::thread::sleep(PUBLISH);
    }
}
