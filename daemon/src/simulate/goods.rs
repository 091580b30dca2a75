//! The goods of the simulated shop: departments, and kinds of goods with their words, prices and purchase habits.

use crate::simulate::words::{Both, Lists};

/// How a kind of goods is sized.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sizing {
    /// Not at all.
    None,
    /// XS to XXL.
    Clothes,
    /// European shoe sizes.
    Shoes,
    /// Millilitres.
    Volume,
    /// Grams.
    Weight,
}

impl Sizing {
    /// The sizes in which it is sold.
    pub(crate) fn values(self) -> &'static [&'static str] {
        match self {
            Self::None => &[],
            Self::Clothes => &["XS", "S", "M", "L", "XL", "XXL"],
            Self::Shoes => &["36", "37", "38", "39", "40", "41", "42", "43", "44"],
            Self::Volume => &["50 ml", "100 ml", "250 ml", "500 ml", "1 l"],
            Self::Weight => &["100 g", "250 g", "500 g", "1 kg", "2 kg"],
        }
    }
}

/// A department of the shop.
pub(crate) struct Department {
    pub(crate) name: Both,
    /// Brands that sell here.
    pub(crate) brands: Lists,
    /// Demand by month, January first, in percent of the usual.
    pub(crate) season: [u8; 12],
    /// Relative demand of women, men, the young (below 35) and the old (55 and above), in percent of the average.
    pub(crate) skew: [u8; 4],
}

/// A kind of goods: a leaf of the category tree.
pub(crate) struct Kind {
    pub(crate) department: usize,
    pub(crate) name: Both,
    pub(crate) nouns: Lists,
    pub(crate) materials: Lists,
    pub(crate) features: Lists,
    /// Lowest and highest price in whole euros.
    pub(crate) price: (u32, u32),
    pub(crate) coloured: bool,
    pub(crate) sizing: Sizing,
    /// Days until a buyer needs it again; 0 for what lasts.
    pub(crate) rhythm: u32,
}

/// The departments.
#[rustfmt::skip]
pub(crate) const DEPARTMENTS: [Department; 10] = [
    Department { name: ["Clothing", "服装"], season: [80, 80, 100, 110, 110, 100, 80, 90, 110, 115, 120, 130], skew: [130, 90, 120, 90],
        brands: [&["Marlowe", "Oakline", "Sundry & Co", "Fable", "Tern"], &["素衣坊", "南织", "棉里", "风衫", "锦时"]] },
    Department { name: ["Shoes & Bags", "鞋包"], season: [85, 85, 105, 110, 105, 95, 90, 105, 115, 105, 110, 120], skew: [125, 95, 110, 90],
        brands: [&["Strand", "Corvo", "Pilgrim", "Fieldstep"], &["行远", "步云", "鹿皮匠", "小驼"]] },
    Department { name: ["Home & Kitchen", "家居厨房"], season: [95, 90, 95, 95, 95, 90, 90, 95, 100, 110, 130, 140], skew: [110, 95, 95, 115],
        brands: [&["Hearth", "Kilnway", "Brightwell", "Larder", "Nestling"], &["居然", "陶然", "灶边", "暖居", "木作"]] },
    Department { name: ["Electronics", "数码"], season: [90, 85, 90, 90, 95, 100, 95, 105, 105, 105, 145, 140], skew: [80, 130, 125, 75],
        brands: [&["Voltara", "Pixen", "Sonaro", "Circuit Lane"], &["极光", "讯达", "声海", "微芯"]] },
    Department { name: ["Beauty", "美妆个护"], season: [95, 110, 105, 100, 105, 105, 100, 95, 100, 100, 120, 125], skew: [150, 60, 120, 90],
        brands: [&["Petalia", "Dew & Bloom", "Saffra", "Clearbrook"], &["花间集", "水木颜", "润色", "清露"]] },
    Department { name: ["Grocery", "食品"], season: [105, 105, 95, 95, 100, 95, 95, 95, 105, 100, 110, 130], skew: [105, 100, 90, 120],
        brands: [&["Millbrook", "Terrace Farm", "Old Quay", "Spice Row"], &["田间", "老街", "茗香", "五谷坊"]] },
    Department { name: ["Sports & Outdoors", "运动户外"], season: [110, 95, 105, 115, 125, 125, 120, 110, 100, 90, 90, 95], skew: [85, 120, 125, 70],
        brands: [&["Summit Nine", "Trailhead", "Corewell", "Swiftwater"], &["攀岳", "追风", "野行", "动力源"]] },
    Department { name: ["Toys & Baby", "母婴玩具"], season: [85, 85, 90, 95, 100, 110, 95, 90, 95, 105, 135, 150], skew: [125, 90, 115, 90],
        brands: [&["Tinker Tots", "Acorn Play", "Moonbeam", "Puddle"], &["童趣", "小橡果", "萌芽", "乐多"]] },
    Department { name: ["Stationery", "文具"], season: [105, 95, 95, 90, 90, 85, 95, 135, 130, 95, 100, 115], skew: [115, 90, 115, 95],
        brands: [&["Inkwell", "Foolscap", "Margin", "Paper Fox"], &["墨香", "纸上", "砚边", "晨书"]] },
    Department { name: ["Pets", "宠物"], season: [100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 105, 110], skew: [110, 100, 105, 105],
        brands: [&["Waggle", "Purrfect Day", "Burrow", "Fin & Fur"], &["汪星球", "喵舍", "毛球", "小爪"]] },
];

const CLOTH: Lists = [&["cotton", "linen", "wool", "silk", "denim"], &["纯棉", "亚麻", "羊毛", "真丝", "牛仔"]];
const LEATHER: Lists = [&["leather", "suede", "canvas", "mesh"], &["真皮", "麂皮", "帆布", "网面"]];
const HOME: Lists =
    [&["ceramic", "oak", "glass", "stainless steel", "bamboo"], &["陶瓷", "橡木", "玻璃", "不锈钢", "竹制"]];
const TECH: Lists = [&["aluminium", "matte plastic", "tempered glass"], &["铝合金", "磨砂", "钢化玻璃"]];
const NATURE: Lists = [&["organic", "plant-based", "fragrance-free"], &["有机", "植物", "无香"]];
const FOOD: Lists =
    [&["organic", "wholegrain", "single-origin", "stone-ground"], &["有机", "全谷物", "单一产地", "石磨"]];
const SPORT: Lists =
    [&["ripstop nylon", "recycled polyester", "merino", "carbon"], &["防撕裂尼龙", "再生涤纶", "美利奴", "碳纤维"]];
const PLAY: Lists = [&["wooden", "plush", "silicone", "organic cotton"], &["木质", "毛绒", "硅胶", "有机棉"]];
const PAPER: Lists = [&["recycled paper", "brass", "cork", "linen-bound"], &["再生纸", "黄铜", "软木", "布面"]];

const BED: Lists = [&["cotton", "linen", "bamboo", "sateen"], &["纯棉", "亚麻", "竹纤维", "贡缎"]];
const SOFT: Lists = [&["plush", "velvet", "knitted", "organic cotton"], &["毛绒", "天鹅绒", "针织", "有机棉"]];
const PEN: Lists = [&["brass", "resin", "steel", "bamboo"], &["黄铜", "树脂", "钢制", "竹制"]];
const ART: Lists = [&["artist-grade", "student-grade", "non-toxic"], &["大师级", "学生级", "无毒"]];

/// Shorthand for the table below.
#[rustfmt::skip]
#[allow(clippy::too_many_arguments, reason = "a row of the table")]
const fn kind(
    department: usize, name: Both, nouns: Lists, materials: Lists, features: Lists, price: (u32, u32), coloured: bool, sizing: Sizing, rhythm: u32,
) -> Kind {
    Kind { department, name, nouns, materials, features, price, coloured, sizing, rhythm }
}

/// Words in the place of a material that say how goods are made, not of what.
const MANNERS: [&str; 2] = ["organic", "artist-grade"];

impl Kind {
    /// Whether its materials read as "made of cotton"; otherwise they only go before the noun, as in "organic tea".
    pub(crate) fn made_of(&self) -> bool {
        !MANNERS.contains(&self.materials[0][0])
    }
}

/// The kinds of goods, four per department.
#[rustfmt::skip]
pub(crate) const KINDS: [Kind; 40] = [
    kind(0, ["Dresses", "连衣裙"], [&["wrap dress", "midi dress", "summer dress", "shirt dress"], &["连衣裙", "碎花裙", "衬衫裙", "吊带裙"]], CLOTH,
        [&["a flattering waist", "two hidden pockets", "a floral print"], &["收腰显瘦", "隐形口袋", "碎花印花"]], (25, 120), true, Sizing::Clothes, 0),
    kind(0, ["Shirts", "衬衫"], [&["oxford shirt", "linen shirt", "flannel shirt", "polo shirt"], &["牛津衬衫", "亚麻衬衫", "法兰绒衬衫", "polo衫"]], CLOTH,
        [&["a button-down collar", "an easy-iron finish", "a relaxed fit"], &["纽扣领设计", "免烫工艺", "宽松版型"]], (18, 75), true, Sizing::Clothes, 0),
    kind(0, ["Knitwear", "针织衫"], [&["cardigan", "crew-neck jumper", "turtleneck", "knitted vest"], &["开衫", "圆领毛衣", "高领毛衣", "针织马甲"]], CLOTH,
        [&["a fine rib knit", "no itch on the skin", "a warm high collar"], &["细密罗纹", "亲肤不扎", "高领保暖"]], (28, 140), true, Sizing::Clothes, 0),
    kind(0, ["Trousers", "裤子"], [&["slim jeans", "chinos", "wide-leg trousers", "joggers"], &["修身牛仔裤", "休闲裤", "阔腿裤", "束脚运动裤"]], CLOTH,
        [&["a touch of stretch", "a high rise", "deep pockets"], &["微弹面料", "高腰设计", "深口袋"]], (25, 110), true, Sizing::Clothes, 0),
    kind(1, ["Sneakers", "运动鞋"], [&["running shoes", "low-top sneakers", "slip-ons", "trainers"], &["跑步鞋", "低帮板鞋", "一脚蹬", "训练鞋"]], LEATHER,
        [&["a cushioned sole", "a breathable upper", "a grippy outsole"], &["缓震鞋底", "透气鞋面", "防滑大底"]], (35, 150), true, Sizing::Shoes, 0),
    kind(1, ["Boots", "靴子"], [&["ankle boots", "hiking boots", "chelsea boots", "rain boots"], &["短靴", "登山靴", "切尔西靴", "雨靴"]], LEATHER,
        [&["a waterproof membrane", "a low block heel", "a fleece lining"], &["防水膜", "低粗跟", "加绒内里"]], (45, 220), true, Sizing::Shoes, 0),
    kind(1, ["Handbags", "女包"], [&["tote bag", "crossbody bag", "clutch", "bucket bag"], &["托特包", "斜挎包", "手拿包", "水桶包"]], LEATHER,
        [&["an adjustable strap", "a zipped inner pocket", "room for a laptop"], &["可调肩带", "内置拉链袋", "可放笔记本电脑"]], (30, 240), true, Sizing::None, 0),
    kind(1, ["Backpacks", "双肩包"], [&["rucksack", "laptop backpack", "roll-top backpack", "school bag"], &["双肩包", "电脑背包", "卷口背包", "书包"]], LEATHER,
        [&["a padded laptop sleeve", "a hidden back pocket", "a rain cover"], &["电脑夹层", "背部暗袋", "附防雨罩"]], (28, 160), true, Sizing::None, 0),
    kind(2, ["Cookware", "锅具"], [&["frying pan", "casserole", "wok", "saucepan"], &["平底锅", "炖锅", "炒锅", "奶锅"]], HOME,
        [&["an even heat base", "a non-stick coating", "an oven-safe handle"], &["受热均匀", "不粘涂层", "手柄可进烤箱"]], (18, 160), false, Sizing::None, 0),
    kind(2, ["Tableware", "餐具"], [&["dinner plate set", "mug", "tea cup", "salad bowl"], &["餐盘套装", "马克杯", "茶杯", "沙拉碗"]], HOME,
        [&["a hand-glazed finish", "a dishwasher-safe body", "a comfortable handle"], &["手工上釉", "可进洗碗机", "握感舒适"]], (6, 70), true, Sizing::None, 0),
    kind(2, ["Bedding", "床品"], [&["duvet cover", "pillowcase", "throw blanket", "fitted sheet"], &["被套", "枕套", "盖毯", "床笠"]], BED,
        [&["a 300 thread count", "a stonewashed feel", "hidden buttons"], &["三百支纱", "水洗质感", "暗扣设计"]], (15, 130), true, Sizing::None, 0),
    kind(2, ["Candles & Lighting", "香薰灯饰"], [&["scented candle", "table lamp", "string lights", "lantern"], &["香薰蜡烛", "台灯", "串灯", "灯笼"]], HOME,
        [&["a warm amber glow", "notes of cedar and fig", "a forty-hour burn"], &["暖黄光", "雪松与无花果香", "燃烧四十小时"]], (7, 90), true, Sizing::None, 0),
    kind(3, ["Headphones", "耳机"], [&["wireless earbuds", "over-ear headphones", "sports earphones", "gaming headset"], &["无线耳机", "头戴式耳机", "运动耳机", "游戏耳机"]], TECH,
        [&["active noise cancelling", "thirty hours of battery", "a sweat-proof body"], &["主动降噪", "三十小时续航", "防汗设计"]], (25, 280), true, Sizing::None, 0),
    kind(3, ["Chargers & Cables", "充电器"], [&["usb-c charger", "power bank", "charging cable", "wireless charger"], &["快充充电器", "充电宝", "数据线", "无线充电器"]], TECH,
        [&["fast charging at 65 watts", "a braided cable", "a pocket size"], &["六十五瓦快充", "编织线身", "口袋大小"]], (8, 70), true, Sizing::None, 0),
    kind(3, ["Keyboards & Mice", "键鼠"], [&["mechanical keyboard", "wireless mouse", "compact keyboard", "trackball"], &["机械键盘", "无线鼠标", "小键盘", "轨迹球"]], TECH,
        [&["quiet switches", "a tilt wheel", "three connected devices"], &["静音轴", "倾斜滚轮", "三设备切换"]], (15, 160), true, Sizing::None, 0),
    kind(3, ["Smart Home", "智能家居"], [&["smart plug", "smart bulb", "indoor camera", "robot vacuum"], &["智能插座", "智能灯泡", "室内摄像头", "扫地机器人"]], TECH,
        [&["voice control", "a schedule in the app", "a two-minute setup"], &["语音控制", "定时开关", "两分钟安装"]], (10, 300), false, Sizing::None, 0),
    kind(4, ["Skin Care", "护肤"], [&["face cream", "vitamin c serum", "sunscreen", "cleansing gel"], &["面霜", "维C精华", "防晒霜", "洁面啫喱"]], NATURE,
        [&["hyaluronic acid", "a light texture", "care for sensitive skin"], &["添加玻尿酸", "质地轻薄", "敏感肌可用"]], (8, 80), false, Sizing::Volume, 45),
    kind(4, ["Hair Care", "护发"], [&["shampoo", "conditioner", "hair mask", "scalp oil"], &["洗发水", "护发素", "发膜", "头皮精油"]], NATURE,
        [&["argan oil", "no sulphates", "volume for fine hair"], &["摩洛哥坚果油", "无硫酸盐", "细软发丰盈"]], (6, 45), false, Sizing::Volume, 40),
    kind(4, ["Make-up", "彩妆"], [&["lipstick", "mascara", "foundation", "eyeshadow palette"], &["口红", "睫毛膏", "粉底液", "眼影盘"]], NATURE,
        [&["a long-lasting matte finish", "a buildable cover", "a creamy shade"], &["持久哑光", "遮瑕力可叠加", "奶油质地"]], (7, 60), true, Sizing::None, 75),
    kind(4, ["Fragrance", "香水"], [&["eau de parfum", "cologne", "body mist", "solid perfume"], &["浓香水", "古龙水", "身体喷雾", "固体香膏"]], NATURE,
        [&["notes of jasmine", "a base of sandalwood", "a fresh citrus top"], &["茉莉花香", "檀木基调", "清新柑橘前调"]], (15, 140), false, Sizing::Volume, 120),
    kind(5, ["Coffee", "咖啡"], [&["coffee beans", "ground coffee", "espresso pods", "decaf coffee"], &["咖啡豆", "咖啡粉", "浓缩胶囊", "低因咖啡"]], FOOD,
        [&["notes of cocoa", "a medium roast", "a bright finish"], &["可可风味", "中度烘焙", "明亮回甘"]], (5, 32), false, Sizing::Weight, 21),
    kind(5, ["Tea", "茶叶"], [&["green tea", "earl grey", "oolong tea", "chamomile tea"], &["龙井绿茶", "伯爵红茶", "铁观音", "洋甘菊茶"]], FOOD,
        [&["a floral aroma", "whole leaves", "a soothing taste"], &["花香浓郁", "整叶采摘", "口感舒缓"]], (4, 40), false, Sizing::Weight, 30),
    kind(5, ["Snacks", "零食"], [&["mixed nuts", "dark chocolate", "rice crackers", "dried mango"], &["混合坚果", "黑巧克力", "米饼", "芒果干"]], FOOD,
        [&["no added sugar", "a crunchy bite", "a resealable pouch"], &["无添加糖", "口感酥脆", "可封口包装"]], (2, 22), false, Sizing::Weight, 14),
    kind(5, ["Pantry", "粮油"], [&["olive oil", "jasmine rice", "pasta", "honey"], &["橄榄油", "茉莉香米", "意面", "蜂蜜"]], FOOD,
        [&["a cold first press", "a family farm", "a rich taste"], &["冷压初榨", "家庭农场出品", "味道浓郁"]], (3, 30), false, Sizing::Weight, 35),
    kind(6, ["Camping", "露营"], [&["two-person tent", "sleeping bag", "camping stove", "head torch"], &["双人帐篷", "睡袋", "露营炉", "头灯"]], SPORT,
        [&["a three-season rating", "a small pack size", "a quick set-up"], &["三季适用", "收纳小巧", "快速搭建"]], (15, 260), true, Sizing::None, 0),
    kind(6, ["Fitness", "健身"], [&["yoga mat", "resistance band", "dumbbell", "foam roller"], &["瑜伽垫", "弹力带", "哑铃", "泡沫轴"]], SPORT,
        [&["a non-slip surface", "a guide with exercises", "a firm grip"], &["防滑表面", "附训练指南", "握持稳固"]], (8, 90), true, Sizing::None, 0),
    kind(6, ["Cycling", "骑行"], [&["bike helmet", "bike light", "cycling gloves", "water bottle"], &["骑行头盔", "车灯", "骑行手套", "运动水壶"]], SPORT,
        [&["reflective details", "a one-hand dial", "a rechargeable battery"], &["反光细节", "单手旋钮", "可充电电池"]], (9, 120), true, Sizing::None, 0),
    kind(6, ["Outdoor Wear", "户外服装"], [&["rain jacket", "fleece", "down vest", "hiking trousers"], &["冲锋衣", "抓绒衣", "羽绒马甲", "徒步裤"]], SPORT,
        [&["taped seams", "a packable hood", "zipped vents"], &["压胶防水", "可收纳帽", "透气拉链"]], (35, 260), true, Sizing::Clothes, 0),
    kind(7, ["Building Toys", "积木拼装"], [&["building blocks", "marble run", "model train", "magnetic tiles"], &["积木", "滚珠轨道", "模型火车", "磁力片"]], PLAY,
        [&["rounded edges", "hours of play", "a storage bag"], &["圆角打磨", "百玩不厌", "附收纳袋"]], (10, 110), true, Sizing::None, 0),
    kind(7, ["Soft Toys", "毛绒玩具"], [&["teddy bear", "plush rabbit", "hand puppet", "cuddly dinosaur"], &["泰迪熊", "毛绒兔", "手偶", "恐龙公仔"]], SOFT,
        [&["embroidered eyes", "a washable cover", "a hug-sized body"], &["刺绣眼睛", "可水洗", "适合抱着睡"]], (8, 60), true, Sizing::None, 0),
    kind(7, ["Baby Care", "婴儿护理"], [&["nappies", "baby wipes", "baby lotion", "bath foam"], &["纸尿裤", "婴儿湿巾", "婴儿润肤乳", "沐浴泡泡"]], NATURE,
        [&["a soft touch", "dermatologist tests", "a dry night"], &["触感柔软", "皮肤科测试", "整夜干爽"]], (4, 38), false, Sizing::None, 18),
    kind(7, ["Puzzles & Games", "桌游拼图"], [&["jigsaw puzzle", "board game", "card game", "memory game"], &["拼图", "桌游", "卡牌游戏", "记忆游戏"]], PLAY,
        [&["a thousand pieces", "fun for the family", "a travel size"], &["一千片", "全家同乐", "旅行尺寸"]], (8, 60), false, Sizing::None, 0),
    kind(8, ["Notebooks", "笔记本"], [&["dotted notebook", "weekly planner", "sketchbook", "pocket journal"], &["点阵笔记本", "周计划本", "速写本", "口袋日记"]], PAPER,
        [&["a lay-flat binding", "smooth ivory paper", "an elastic band"], &["平摊装订", "米白顺滑纸", "弹力绑带"]], (4, 35), true, Sizing::None, 60),
    kind(8, ["Pens", "笔"], [&["fountain pen", "gel pen set", "brush pen", "mechanical pencil"], &["钢笔", "中性笔套装", "秀丽笔", "自动铅笔"]], PEN,
        [&["a fine steel nib", "quick-drying ink", "a balanced barrel"], &["细钢尖", "速干墨水", "笔身平衡"]], (3, 60), true, Sizing::None, 0),
    kind(8, ["Art Supplies", "美术用品"], [&["watercolour set", "acrylic paint", "coloured pencils", "canvas panel"], &["水彩套装", "丙烯颜料", "彩色铅笔", "画布板"]], ART,
        [&["rich pigments", "a tin case", "a beginner's guide"], &["颜色饱满", "铁盒收纳", "附入门指南"]], (6, 75), false, Sizing::None, 0),
    kind(8, ["Desk & Gift Wrap", "桌面与包装"], [&["desk organiser", "wrapping paper", "greeting cards", "washi tape"], &["桌面收纳盒", "包装纸", "贺卡", "和纸胶带"]], PAPER,
        [&["a neat look", "a botanical print", "a set of twelve"], &["桌面整洁", "植物图案", "十二件套"]], (3, 40), true, Sizing::None, 90),
    kind(9, ["Dog Food", "狗粮"], [&["dry dog food", "dog treats", "wet dog food", "dental chews"], &["狗干粮", "狗零食", "狗罐头", "洁齿棒"]], FOOD,
        [&["real chicken", "no grain", "care for sensitive tummies"], &["真鸡肉", "无谷配方", "肠胃敏感可食"]], (4, 60), false, Sizing::Weight, 25),
    kind(9, ["Cat Food", "猫粮"], [&["dry cat food", "wet cat food", "cat treats", "kitten food"], &["猫干粮", "猫罐头", "猫条", "幼猫粮"]], FOOD,
        [&["real salmon", "hairball control", "taurine for the eyes"], &["真三文鱼", "化毛配方", "添加牛磺酸"]], (3, 55), false, Sizing::Weight, 20),
    kind(9, ["Pet Beds", "宠物窝"], [&["dog bed", "cat cave", "cooling mat", "travel blanket"], &["狗窝", "猫窝", "宠物凉垫", "外出毯"]], SOFT,
        [&["a washable cover", "raised edges", "a memory foam core"], &["可拆洗", "围边设计", "记忆棉内芯"]], (14, 120), true, Sizing::None, 0),
    kind(9, ["Pet Play", "宠物玩具"], [&["tug rope", "feather wand", "puzzle feeder", "squeaky ball"], &["拔河绳", "逗猫棒", "漏食玩具", "发声球"]], PLAY,
        [&["tough seams", "hidden treats", "hours of fun"], &["缝线结实", "可藏零食", "玩不腻"]], (3, 30), true, Sizing::None, 0),
];
