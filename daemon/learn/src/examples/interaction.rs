//! Interactions as the pair builders read them.

use mercer_shared::interaction::{InteractionType, InterestWeights};

use crate::texts::TextId;

/// One interaction. Users and items are numbers of the caller's choice; only their equality matters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interaction {
    /// User or session.
    pub user: u32,
    /// Item acted on.
    pub item: Option<u32>,
    /// Kind of the interaction.
    pub kind: InteractionType,
    /// Quantity or stars, see [`InteractionType::value`].
    pub value: f32,
    /// Text of the query: the typed one (with [`InteractionType::Search`]) or the one whose results were acted on.
    pub query: Option<TextId>,
    /// UTC milliseconds.
    pub at_ms: i64,
}

impl Interaction {
    /// Weight of a pair whose positive comes from this interaction ([`InterestWeights`]); `None` if it shows no interest: a search, an
    /// impression, a return, a dismissal, a bad rating or review.
    #[must_use]
    pub fn weight(&self) -> Option<f32> {
        let interest = InterestWeights::default().of(self.kind, self.value);
        (interest > 0.0).then_some(interest)
    }
}

/// Interactions of each user in time order, users in ascending order; interactions at equal times keep their order.
pub(crate) fn by_user(log: &[Interaction]) -> Vec<Vec<Interaction>> {
    let mut sorted: Vec<Interaction> = log.to_vec();
    sorted.sort_by_key(|i| (i.user, i.at_ms));
    sorted.chunk_by(|a, b| a.user == b.user).map(<[_]>::to_vec).collect()
}
