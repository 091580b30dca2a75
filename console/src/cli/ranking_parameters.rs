//! `mercer report parameters`: the main ranking parameters in words, as a text that a shop can publish.

use mercer_shared::client::Client;
use mercer_shared::problem::exit;
use mercer_shared::wire::{Language, RankingParameter};

use super::out::{Done, Out};
use crate::text;

/// Prints the parameters.
pub(crate) async fn run(language: Language, client: &Client, out: &mut Out) -> Done {
    let page = client.ranking_parameters(language).await?;
    if out.json {
        out.document(&page)?;
        return Ok(exit::OK);
    }
    page.introduction.iter().try_for_each(|paragraph| out.wrapped(paragraph))?;
    out.line("")?;
    for (n, parameter) in page.parameters.iter().enumerate() {
        out.wrapped(format!("{}. {}", n + 1, parameter.text))?;
        if let Some(measured) = measured(parameter, language) {
            out.line(format!("   {measured}"))?;
        }
    }
    out.line("")?;
    page.closing.iter().try_for_each(|paragraph| out.wrapped(paragraph))?;
    out.line(format!("{}, {}", text::clean(&page.model), text::moment(page.created)))?;
    Ok(exit::OK)
}

/// What was measured of a parameter, or its weight where nothing was.
fn measured(parameter: &RankingParameter, language: Language) -> Option<String> {
    let interval = text::interval(parameter.low, parameter.high);
    match (parameter.change, parameter.weight, language) {
        (Some(change), _, Language::En) => {
            Some(format!("without it NDCG@10 changes by {} {interval}", text::signed(change)))
        }
        (Some(change), _, Language::Zh) => Some(format!("去掉后 NDCG@10 变化 {} {interval}", text::signed(change))),
        (None, Some(weight), Language::En) => Some(format!("weight {weight:.2}")),
        (None, Some(weight), Language::Zh) => Some(format!("权重 {weight:.2}")),
        (None, None, _) => None,
    }
}
