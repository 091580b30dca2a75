//! Popularity debiasing: PDA (Zhang et al. 2021).

use mercer_reports::mean;
use mercer_reports::rerank::{RerankError, pda as score};
use mercer_reports::value::standard_deviation;

use crate::serving::rerank::pool::{Picked, Pool, RerankContext};

/// Orders by (ELU(f) + 1) * popularity^gamma. f is the relevance, standardised over the candidates, so that one gamma means the same for
/// every ranker. Popularity is the item's share of the candidates' purchases, with one more for each, so that an unsold item has some.
pub(super) fn pda(context: &RerankContext<'_>, pool: &Pool, gamma: f64) -> Result<Picked, RerankError> {
    let centre = mean(&pool.relevance).unwrap_or(0.0);
    // Equal relevance everywhere, or a single candidate, leaves popularity alone to decide.
    let width = standard_deviation(&pool.relevance).ok().filter(|width| *width > 0.0);
    let sold = |item: &u32| 1.0 + context.snapshot.index.stats(*item).map_or(0.0, |stats| f64::from(stats.count));
    let purchases: Vec<f64> = pool.items.iter().map(sold).collect();
    let total: f64 = purchases.iter().sum();
    let adjusted = |(relevance, sold): (&f64, &f64)| {
        let f = width.map_or(0.0, |width| (relevance - centre) / width);
        // The formula takes exponents from 0 on; a negative one is that of the reciprocal.
        let popularity = if gamma < 0.0 { total / sold } else { sold / total };
        score(f, popularity, gamma.abs()).map_err(|_| RerankError::Score)
    };
    let scores = pool.relevance.iter().zip(&purchases).map(adjusted).collect::<Result<Vec<f64>, RerankError>>()?;
    let mut order: Vec<usize> = (0..scores.len()).collect();
    // Stable: of equal scores the earlier candidate stays first.
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    Ok(Picked { order, ..Picked::default() })
}
