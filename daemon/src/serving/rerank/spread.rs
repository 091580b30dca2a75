//! Re-rankers for variety within a list: MMR and DPP. Items are compared by the vectors of the version, whitened where it whitens.

use mercer_reports::rerank::{Method, RerankError, UnitVectors};

use crate::serving::rerank::pool::{Picked, Pool, RerankContext};

/// Maximal marginal relevance.
pub(super) fn mmr(context: &RerankContext<'_>, pool: &Pool, lambda: f64) -> Result<Picked, RerankError> {
    spread(context, pool, Method::Mmr { lambda })
}

/// The most probable list of a determinantal point process. Quality is exp(theta / (2 (1 - theta)) * relevance), which makes the logarithm
/// of the determinant theta * relevance + (1 - theta) * ln det(similarity), up to a factor (Chen 2018, equation 12).
pub(super) fn dpp(context: &RerankContext<'_>, pool: &Pool, theta: f64) -> Result<Picked, RerankError> {
    // Relevance has no weight at 0, where the quality of all must still be a number.
    let sharpness = Some((theta / (2.0 * (1.0 - theta))).max(f64::MIN_POSITIVE));
    spread(context, pool, Method::Dpp { sharpness, window: None })
}

fn spread(context: &RerankContext<'_>, pool: &Pool, method: Method<'_>) -> Result<Picked, RerankError> {
    let known = context.snapshot.catalogue.similarity_vectors();
    let rows: Vec<Option<&[f32]>> = pool.items.iter().map(|&item| known?.get(item)).collect();
    let (without, n) = (rows.iter().filter(|row| row.is_none()).count(), rows.len());
    let vectors = UnitVectors::new(rows);
    let picked = Picked::from(pool.pick(&[], Some(&vectors), method)?);
    let note =
        (without > 0).then(|| format!("{without} of {n} candidates have no vector and count as unlike all others"));
    Ok(Picked { note, ..picked })
}
