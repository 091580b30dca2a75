//! The words of the simulated shop that do not belong to one kind of goods: colours, styles, brands, series, phrases.
//!
//! Every entry has an English and a Chinese side, in that order.

/// English first, Chinese second.
pub(crate) type Both = [&'static str; 2];
/// A list for each language.
pub(crate) type Lists = [&'static [&'static str]; 2];

/// Colours that items come in.
#[rustfmt::skip]
pub(crate) const COLOURS: [Both; 14] = [
    ["black", "黑色"], ["white", "白色"], ["red", "红色"], ["navy", "藏青色"], ["green", "绿色"], ["grey", "灰色"], ["pink", "粉色"],
    ["beige", "米色"], ["yellow", "黄色"], ["purple", "紫色"], ["brown", "棕色"], ["sky blue", "天蓝色"], ["orange", "橙色"],
    ["olive", "军绿色"],
];

/// Adjectives of taste, used in titles.
#[rustfmt::skip]
pub(crate) const STYLES: Lists = [
    &["Classic", "Everyday", "Vintage", "Minimal", "Premium", "Soft", "Compact", "Modern", "Handmade", "Cosy", "Nordic", "Lightweight"],
    &["经典", "日常", "复古", "简约", "高级", "柔软", "便携", "现代", "手工", "温馨", "北欧风", "轻量"],
];

/// Series names, which keep titles of similar goods apart.
#[rustfmt::skip]
pub(crate) const SERIES: Lists = [
    &["Alder", "Aurora", "Birch", "Breeze", "Cinder", "Clover", "Coast", "Delta", "Ember", "Fern", "Harbour", "Hazel", "Juniper", "Lumen",
      "Maple", "Meadow", "Nimbus", "Orchard", "Pebble", "Quill", "Ridge", "Sable", "Tidal", "Willow"],
    &["青禾", "云岚", "木棉", "晨光", "星野", "南风", "白露", "山雀", "海棠", "溪谷", "松果", "月白", "知夏", "拾光", "初雪", "橘井", "浮生",
      "听雨", "归野", "小满", "鹿鸣", "半夏", "长风", "素锦"],
];

/// Opening sentences of descriptions; `{}` takes the noun.
#[rustfmt::skip]
pub(crate) const OPENINGS: Lists = [
    &["A {} made to last, with care for every detail.", "This {} is a favourite of our customers.", "Our best-selling {} in a new season.",
      "A simple {} that does its job well.", "The {} you will reach for every day.", "Designed in-house, this {} keeps things uncomplicated."],
    &["这款{}做工精细，经久耐用。", "深受顾客喜爱的{}，回购率很高。", "本季新款{}，细节更用心。", "简单好用的{}，日常必备。", "设计师原创{}，实用又好看。",
      "一款让人每天都想用的{}。"],
];

/// Closing sentences of descriptions.
#[rustfmt::skip]
pub(crate) const CLOSINGS: Lists = [
    &["Makes a thoughtful gift.", "Free returns within 30 days.", "Ships in recyclable packaging.", "Limited stock in this colourway.",
      "Tested by our own team for a full season.", "Pairs well with the rest of the range."],
    &["送礼自用两相宜。", "支持三十天无理由退货。", "采用可回收包装发货。", "该配色数量有限。", "团队亲测一整季。", "与同系列搭配效果更佳。"],
];

/// Sellers.
#[rustfmt::skip]
pub(crate) const SELLERS: [Both; 8] = [
    ["Harbour Street Trading", "港街商行"], ["Northlight Goods", "北光优选"], ["Little Oak Supply", "小橡树供应"], ["Bright Lane", "明里百货"],
    ["Fieldhouse & Co", "田野之家"], ["Riverside Direct", "河畔直营"], ["Paper Lantern", "纸灯笼小铺"], ["Old Mill Store", "老磨坊商店"],
];

/// Praise, by what is praised; `{}` takes the noun.
#[rustfmt::skip]
pub(crate) const PRAISE: Lists = [
    &["Love this {}, exactly as described.", "Great quality for the price, would buy again.", "My second {} from this brand and it never disappoints.",
      "Arrived quickly and well packed, very happy.", "Beautiful {}, looks even better in person.", "Excellent, my family is delighted with it.",
      "Perfect! The {} works like a charm.", "Highly recommended, sturdy and well made."],
    &["非常喜欢这款{}，和描述一模一样。", "性价比很高，会回购的。", "第二次买这个牌子的{}了，从不失望。", "物流很快，包装也好，很满意。", "{}很漂亮，实物比图片还好看。",
      "质量很棒，家人都说好。", "太完美了，{}特别好用。", "强烈推荐，做工结实。"],
];

/// Lukewarm remarks.
#[rustfmt::skip]
pub(crate) const MIDDLING: Lists = [
    &["It is okay, nothing special.", "Decent {} but a bit overpriced.", "Does the job, though the colour is slightly different.",
      "Average quality, delivery took a while.", "Fine for occasional use."],
    &["一般般，没什么特别的。", "{}还可以，就是有点贵。", "能用，颜色和图片略有差别。", "质量中等，物流有点慢。", "偶尔用用还行。"],
];

/// Complaints.
#[rustfmt::skip]
pub(crate) const COMPLAINT: Lists = [
    &["Disappointed, the {} broke after a week.", "Poor quality, not worth the money.", "The {} looks nothing like the picture.",
      "Terrible, had to send it back.", "Cheap material and a strange smell.", "Wrong size and slow support, would not buy again."],
    &["很失望，{}用了一周就坏了。", "质量太差，不值这个价。", "{}和图片完全不一样。", "太糟糕了，只能退货。", "材质廉价，还有异味。", "尺寸不对，客服也慢，不会再买了。"],
];

/// Words of vague searches, which name no product.
#[rustfmt::skip]
pub(crate) const VAGUE: Lists = [
    &["gift", "something nice", "sale", "new in", "present for her", "cheap", "ideas", "best seller"],
    &["礼物", "好东西", "打折", "新品", "送人", "便宜", "推荐", "热卖"],
];
