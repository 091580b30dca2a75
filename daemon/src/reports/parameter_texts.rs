//! The words of the main ranking parameters, in English and Chinese.

use mercer_rank::Signal;
use mercer_shared::wire::{Language, OutOfStock};

/// What the texts depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    /// Whether a trained ranker orders lists.
    pub(crate) trained: bool,
    /// What happens to items out of stock.
    pub(crate) out_of_stock: OutOfStock,
    /// Whether a share of the shoppers may be answered by another version.
    pub(crate) canary: bool,
    /// Shoppers measured on; 0 where nothing was measured.
    pub(crate) users: u64,
    /// What was measured instead of what serves, if so.
    pub(crate) note: Option<&'a str>,
}

/// The stable name of a parameter.
pub(crate) const fn name(signal: Signal) -> &'static str {
    match signal {
        Signal::Own => "own",
        Signal::Intent => "intent",
        Signal::Popularity => "popularity",
        Signal::Collaborative => "collaborative",
        Signal::Renewal => "renewal",
        Signal::Group => "group",
        Signal::Price => "price",
        Signal::Text => "text",
        Signal::User => "user",
        Signal::Sequence => "sequence",
    }
}

/// A parameter in words.
pub(crate) const fn parameter(signal: Signal, language: Language) -> &'static str {
    match (language, signal) {
        (Language::En, Signal::Own) => "What you bought here before, how often and how long ago.",
        (Language::En, Signal::Intent) => "What you looked at, clicked on or put into the cart.",
        (Language::En, Signal::Popularity) => "How much an item sells now, and whether it sells more than it used to.",
        (Language::En, Signal::Collaborative) => {
            "What shoppers with similar purchases bought, and what is bought together."
        }
        (Language::En, Signal::Renewal) => "How often an item is bought again, and after how long.",
        (Language::En, Signal::Group) => "Brand and category: which ones you buy, and how they sell.",
        (Language::En, Signal::Price) => "The price of an item compared with what you usually pay.",
        (Language::En, Signal::Text) => {
            "How similar the description of an item is to that of items you were interested in."
        }
        (Language::En, Signal::User) => "How much and how regularly you buy.",
        (Language::En, Signal::Sequence) => "The order in which you were interested in items.",
        (Language::Zh, Signal::Own) => "您以前在本店买过什么、买过几次、距今多久。",
        (Language::Zh, Signal::Intent) => "您浏览、点击或加入购物车的商品。",
        (Language::Zh, Signal::Popularity) => "商品目前的销量，以及销量是否在上升。",
        (Language::Zh, Signal::Collaborative) => "购买习惯相近的顾客买了什么，以及哪些商品常被一起购买。",
        (Language::Zh, Signal::Renewal) => "商品被再次购买的频率和间隔。",
        (Language::Zh, Signal::Group) => "品牌和类别：您常买哪些，以及它们的销售情况。",
        (Language::Zh, Signal::Price) => "商品价格与您通常支付的价格相比的高低。",
        (Language::Zh, Signal::Text) => "商品描述与您感兴趣的商品描述的相似程度。",
        (Language::Zh, Signal::User) => "您购买的数量和规律。",
        (Language::Zh, Signal::Sequence) => "您对商品感兴趣的先后顺序。",
    }
}

/// Paragraphs before the parameters.
pub(crate) fn introduction(language: Language, facts: &Facts<'_>) -> Vec<String> {
    let texts: [&str; 2] = match (language, facts.trained) {
        (Language::En, true) => [
            "Recommendations in this shop are ordered by a model that was trained on what shoppers bought. These are its main parameters, \
             the weightiest first.",
            "No payment changes the place of an item: the program knows none.",
        ],
        (Language::En, false) => [
            "Nothing is trained yet: recommendations in this shop are ordered by a weighted sum. These are its terms, the weightiest first.",
            "No payment changes the place of an item: the program knows none.",
        ],
        (Language::Zh, true) => [
            "本店的推荐由一个根据顾客购买记录训练的模型排序。以下是主要参数，影响最大的在前。",
            "付费不会改变商品的排名：程序中没有付费排名。",
        ],
        (Language::Zh, false) => [
            "目前还没有训练任何模型：本店的推荐按加权总和排序。以下是各项参数，影响最大的在前。",
            "付费不会改变商品的排名：程序中没有付费排名。",
        ],
    };
    texts.into_iter().map(str::to_owned).collect()
}

const fn stock(language: Language, rule: OutOfStock) -> &'static str {
    match (language, rule) {
        (Language::En, OutOfStock::Hide) => "Items that are out of stock are not recommended.",
        (Language::En, OutOfStock::Demote) => "Items that are out of stock stand after all others.",
        (Language::En, OutOfStock::Show) => "Items that are out of stock are recommended like all others.",
        (Language::Zh, OutOfStock::Hide) => "缺货的商品不会被推荐。",
        (Language::Zh, OutOfStock::Demote) => "缺货的商品排在所有其他商品之后。",
        (Language::Zh, OutOfStock::Show) => "缺货的商品与其他商品一样被推荐。",
    }
}

/// Paragraphs after the parameters.
pub(crate) fn closing(language: Language, facts: &Facts<'_>) -> Vec<String> {
    let mut all = vec![stock(language, facts.out_of_stock).to_owned()];
    if facts.canary {
        all.push(
            match language {
                Language::En => {
                    "For a time, some shoppers get lists of a newer model, to compare it with the present one."
                }
                Language::Zh => "在一段时间内，部分顾客会看到较新模型的推荐，以便与当前模型比较。",
            }
            .to_owned(),
        );
    }
    all.push(
        match language {
            Language::En => {
                "Declared attributes such as age or gender do not enter the order. Without your consent to personalisation your own history \
                 does not enter it either; you can change that at any time."
            }
            Language::Zh => "年龄、性别等声明的属性不参与排序。未经您同意个性化，您自己的历史记录也不参与；您可以随时更改。",
        }
        .to_owned(),
    );
    all.push(measured(language, facts));
    if let Some(note) = facts.note {
        all.push(match language {
            Language::En => format!("Limit of the measurement: {note}."),
            Language::Zh => format!("测量的限制（英文）：{note}。"),
        });
    }
    all
}

fn measured(language: Language, facts: &Facts<'_>) -> String {
    match (language, facts.users) {
        (Language::En, 0) => {
            "How much each parameter matters was not measured: the log has no later window with returning shoppers."
                .to_owned()
        }
        (Language::En, users) => format!(
            "How much each parameter matters was measured on the lists of {users} shoppers and what they bought afterwards: NDCG@10 without \
             the parameter less NDCG@10 with all, with a 95 % interval over shoppers. One parameter is left out at a time and nothing is \
             trained again, so parameters that can stand for each other look weaker than they are."
        ),
        (Language::Zh, 0) => "没有测量各参数的影响：记录中没有可用于验证的后续时间段。".to_owned(),
        (Language::Zh, users) => format!(
            "各参数的影响是在 {users} 位顾客的推荐列表及其之后的购买上测量的：去掉该参数后的 NDCG@10 减去全部参数时的 NDCG@10，并给出按顾客计算的 95 % 置信区间。\
             每次只去掉一个参数，且不重新训练，因此可以互相替代的参数看起来比实际更弱。"
        ),
    }
}

#[cfg(test)]
mod tests {
    use mercer_rank::SIGNALS;

    use super::*;

    #[test]
    fn every_parameter_has_words_of_its_own_in_both_languages() {
        let all: std::collections::BTreeSet<&str> =
            SIGNALS.iter().flat_map(|s| [parameter(*s, Language::En), parameter(*s, Language::Zh), name(*s)]).collect();
        assert_eq!(all.len(), 3 * SIGNALS.len());
    }

    #[test]
    fn the_texts_follow_the_configuration_and_say_where_nothing_is_trained() {
        let facts = Facts {
            trained: false,
            out_of_stock: OutOfStock::Demote,
            canary: false,
            users: 0,
            note: Some("the blend"),
        };
        let english = [introduction(Language::En, &facts), closing(Language::En, &facts)].concat().join("\n");
        for words in ["Nothing is trained yet", "stand after all others", "was not measured", "the blend"] {
            assert!(english.contains(words), "{words}");
        }
        assert!(!english.contains("newer model"));
        let chinese = closing(Language::Zh, &Facts { canary: true, users: 7, ..facts }).join("\n");
        assert!(chinese.contains("较新模型") && chinese.contains("7 位顾客"));
    }
}
