//! The arms of the prequential experiment.

/// Windows unless something else is asked for.
pub(crate) const WINDOWS: u32 = 8;

/// The arms with what each is, in the order of the report.
pub(crate) const ARMS: [(&str, &str); 8] = [
    ("F0", "the base encoder, frozen"),
    ("F1", "tuned once on the warm-up, then frozen"),
    ("F2", "tuned on after every window (LoRA, with replay)"),
    ("F4", "tuned anew from the base after every window, on everything so far"),
    ("P1", "placebo: F2 with positives dealt out at random within the window"),
    ("S1", "F1 with the index and the histories of the warm-up's end"),
    ("B1", "popularity of 30 days"),
    ("B2", "item co-occurrence, refitted at every window"),
];
