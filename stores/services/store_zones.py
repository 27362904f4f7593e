"""
Which zone an imported store's clock shows, where the list does not say.

1. A city known below has its own. 2. Otherwise the brand's, unless the brand is in China and the store's
place is plainly not: then nothing is guessed, because a wrong zone puts redemptions on wrong days.
"""

CHINA = "Asia/Shanghai"
# The box around the mainland holds parts of its neighbours too; it catches far places, not border towns.
BOX_LATITUDES = (17.5, 54.0)
BOX_LONGITUDES = (73.0, 135.5)

ZONES: dict[str, str] = {
    "Asia/Hong_Kong": "香港 hongkong 九龙 九龍",
    "Asia/Macau": "澳门 澳門 macau macao",
    "Asia/Taipei": "台北 臺北 台中 臺中 高雄 台南 臺南 新竹 taipei taichung kaohsiung",
    "Asia/Singapore": "新加坡 singapore",
    "Asia/Kuala_Lumpur": "吉隆坡 槟城 檳城 新山 马六甲 kualalumpur penang johorbahru malacca",
    "Asia/Bangkok": "曼谷 清迈 普吉 bangkok chiangmai phuket",
    "Asia/Ho_Chi_Minh": "胡志明 河内 岘港 hochiminh hanoi danang",
    "Asia/Jakarta": "雅加达 泗水 jakarta surabaya",
    "Asia/Manila": "马尼拉 宿务 manila cebu",
    "Asia/Phnom_Penh": "金边 phnompenh",
    "Asia/Seoul": "首尔 釜山 仁川 seoul busan incheon",
    "Asia/Tokyo": "东京 大阪 京都 横滨 名古屋 福冈 札幌 tokyo osaka kyoto yokohama nagoya fukuoka sapporo",
    "Asia/Dubai": "迪拜 dubai",
    "Australia/Sydney": "悉尼 sydney",
    "Australia/Melbourne": "墨尔本 melbourne",
    "Australia/Brisbane": "布里斯班 brisbane",
    "Pacific/Auckland": "奥克兰 auckland",
    "Europe/London": "伦敦 曼彻斯特 london manchester",
    "Europe/Paris": "巴黎 paris",
    "America/New_York": "纽约 波士顿 newyork boston",
    "America/Los_Angeles": "洛杉矶 旧金山 圣何塞 西雅图 losangeles sanfrancisco sanjose seattle",
    "America/Vancouver": "温哥华 vancouver",
    "America/Toronto": "多伦多 toronto",
}
_ZONE_OF_CITY = {city: zone for zone, cities in ZONES.items() for city in cities.split()}
_LONGEST_FIRST = sorted(_ZONE_OF_CITY, key=len, reverse=True)


def zone_of_place(*, city: str, latitude: float | None, longitude: float | None, brand_zone: str) -> str | None:
    """The zone, or None where it must be told. A city is known by how its name begins: 香港特别行政區 is 香港."""
    plain = city.lower().replace(" ", "")
    for known in _LONGEST_FIRST:
        if plain.startswith(known):
            return _ZONE_OF_CITY[known]
    if brand_zone == CHINA and latitude is not None and longitude is not None:
        inside = (
            BOX_LATITUDES[0] <= latitude <= BOX_LATITUDES[1] and BOX_LONGITUDES[0] <= longitude <= BOX_LONGITUDES[1]
        )
        return CHINA if inside else None
    return brand_zone
