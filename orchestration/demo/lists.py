"""Word lists of the demo: invented names, places, goods and sales channels; no real person or brand."""

from __future__ import annotations

SURNAMES = "王 李 张 刘 陈 杨 赵 黄 周 吴 徐 孙 胡 朱 高 林 何 郭 马 罗 梁 宋 郑 谢 韩 唐 冯 于 董 萧".split()
GIVEN_NAMES = (
    "梓涵 一诺 浩宇 欣怡 子轩 雨桐 思远 佳宁 明哲 静怡 俊杰 晓彤 文博 诗琪 天佑 可馨 "
    "志强 丽娟 建华 秀英 海燕 国栋 美玲 春生 玉兰 大伟 小芳 振东 惠敏 嘉禾 若溪 星辰 "
    "沐阳 语嫣 景行 知夏 云舒 南乔 亦凡 清扬"
).split()
ENGLISH_FIRST = (
    "Alice Ben Clara David Emma Frank Grace Henry Iris Jack Karen Leo Mia Noah Olivia Paul "
    "Queenie Ryan Sophie Tom Una Victor Wendy Xavier Yvonne Zack"
).split()
ENGLISH_LAST = (
    "Ashford Bramble Coates Drayton Elmhurst Fairley Gresham Holloway Ingleby Jessop Kestrel "
    "Lockwood Marlow Netherby Oakes Penrose"
).split()

# (province, city, share in per mille)
PLACES = [
    ("上海", "上海", 140),
    ("北京", "北京", 120),
    ("广东", "深圳", 110),
    ("广东", "广州", 100),
    ("浙江", "杭州", 95),
    ("江苏", "南京", 75),
    ("江苏", "苏州", 70),
    ("四川", "成都", 85),
    ("湖北", "武汉", 65),
    ("陕西", "西安", 45),
    ("山东", "青岛", 40),
    ("福建", "厦门", 30),
    ("辽宁", "大连", 25),
]

# (category_l1, category_l2, replenishment days, [(Chinese name, English name)])
CATEGORIES = [
    ("美妆", "护肤", 60, [("保湿面霜", "Moisture cream"), ("精华水", "Essence water"),
                       ("洁面乳", "Face wash"), ("防晒霜", "Sunscreen")]),
    ("美妆", "彩妆", 120, [("哑光口红", "Matte lipstick"), ("眉笔", "Brow pencil"),
                        ("气垫粉底", "Cushion foundation"), ("腮红", "Blush")]),
    ("食品", "茶叶", 45, [("龙井茶", "Longjing tea"), ("茉莉花茶", "Jasmine tea"),
                       ("普洱茶饼", "Pu'er cake"), ("桂花乌龙", "Osmanthus oolong")]),
    ("食品", "咖啡", 30, [("手冲咖啡豆", "Filter coffee beans"), ("冻干咖啡", "Freeze-dried coffee"),
                       ("挂耳咖啡", "Drip bag coffee"), ("冷萃液", "Cold brew")]),
    ("家居", "香氛", 90, [("香薰蜡烛", "Scented candle"), ("无火香薰", "Reed diffuser"),
                       ("车载香片", "Car sachet"), ("精油", "Essential oil")]),
    ("家居", "床品", 365, [("纯棉四件套", "Cotton bedding set"), ("蚕丝被", "Silk quilt"),
                        ("记忆枕", "Memory pillow"), ("毛毯", "Blanket")]),
    ("宠物", "猫粮", 35, [("全价猫粮", "Complete cat food"), ("冻干零食", "Freeze-dried treats"),
                       ("猫罐头", "Cat tins"), ("营养膏", "Nutrition paste")]),
    ("服饰", "袜品", 150, [("运动袜", "Sports socks"), ("羊毛袜", "Wool socks"),
                        ("船袜", "Ankle socks"), ("连裤袜", "Tights")]),
]
PRICES_PER_CATEGORY = 30
LOWEST_PRICE_CENTS = 900
PRICE_STEP = 1.18
BRANDS = ["常青", "四季", "Evergreen", "青禾"]

# (code, share of new persons in per mille, paid, cost of one new person in CNY, campaigns)
ACQUISITION = [
    ("ocean_engine", 230, True, 62, ["OE-SPRING", "OE-LIVE", "OE-FEED"]),
    ("tencent_ads", 170, True, 55, ["TX-MOMENTS", "TX-CHANNELS"]),
    ("baidu_search", 110, True, 48, ["BD-BRAND", "BD-GENERIC"]),
    ("xiaohongshu", 120, True, 40, ["XHS-NOTES", "XHS-KOC"]),
    ("organic", 210, False, 0, []),
    ("friend", 70, False, 0, []),
    ("store_walk_in", 90, False, 0, []),
]

STORES = ["S001", "S002", "S003", "S004", "S005", "S006", "S007", "S008"]

LEVELS = ["bronze", "silver", "gold", "diamond"]

REVIEWS = [
    "包装很好，物流快，会回购",
    "Smells wonderful, will buy again",
    "一般般，价格偏高",
    "第二次买了，家人都喜欢",
    "Arrived late, but the quality is fine",
    "质量不错\n下次还来",
    "颜色和图片有差异, 其他还行",
    "=HYPERLINK(\"http://example.invalid\",\"click\")",
    "'; drop table orders; -- 😀",
    "<script>alert(1)</script> {{ 7 * 7 }}",
]
