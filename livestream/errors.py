"""How livestream says no."""

from config.kernel.errors import Conflict, Invalid, NotFound

# --- sessions --------------------------------------------------------------------------------------


class SessionNotFound(NotFound):
    code = "session_not_found"
    zh = "没有这场直播，或者还没开始"
    en = "There is no such live session, or it is not on."


class SessionClosed(Conflict):
    code = "session_closed"
    zh = "这场直播已经结束"
    en = "This live session has ended."


class SessionNotOpen(Conflict):
    code = "session_not_open"
    zh = "这场直播不在进行中"
    en = "This live session is not running, so it cannot do that."


class SessionTimesInvalid(Invalid):
    code = "session_times_invalid"
    zh = "结束时间要晚于开始时间，也要晚于现在"
    en = "A session ends after it starts and not in the past."


class ShelfHasNoEnd(Invalid):
    code = "shelf_has_no_end"
    zh = "常驻货架不会自动结束，不能设置结束时间"
    en = "A standing session never ends by itself, so it takes no ends_at."


class ShelfExists(Conflict):
    code = "shelf_exists"
    zh = "这个品牌已有常驻货架"
    en = "The brand has its standing session already."


# --- listings --------------------------------------------------------------------------------------


class ListingNotFound(NotFound):
    code = "listing_not_found"
    zh = "没有这个商品位"
    en = "There is no such listing."


class OfferListedAlready(Conflict):
    code = "offer_listed_already"
    zh = "这个商品已经在一场直播里了"
    en = "This offer is listed in a session already."


class SessionFull(Conflict):
    code = "session_full"
    zh = "一场直播最多放 {most} 个商品"
    en = "A session takes at most {most} listings."


class CardInvalid(Invalid):
    code = "card_invalid"
    zh = "商品卡片须为普通 JSON，最多 {most_bytes} 字节"
    en = "A card is plain JSON of at most {most_bytes} bytes: everybody who watches loads it."


# --- promoters and their commission ----------------------------------------------------------------


class PromoterNotFound(NotFound):
    code = "promoter_not_found"
    zh = "没有这个达人"
    en = "There is no such promoter."


class PromoterCodeTaken(Conflict):
    code = "promoter_code_taken"
    zh = "这个达人编码已被使用"
    en = "Another promoter has this code."


class PromoterEnded(Conflict):
    code = "promoter_ended"
    zh = "已与这位达人终止合作"
    en = "This promoter has ended."


class CommissionPlanNotFound(NotFound):
    code = "commission_plan_not_found"
    zh = "没有这个佣金计划"
    en = "There is no such commission plan."


class CommissionTooHigh(Invalid):
    code = "commission_too_high"
    zh = "佣金比例要在 0 到 10000 之间，合计不能超过 10000（万分之）"
    en = "Rates are ten-thousandths from 0 to 10000, and together at most 10000: all of what is paid."


class CommissionTimesInvalid(Invalid):
    code = "commission_times_invalid"
    zh = "佣金计划不能从过去开始，结束要晚于开始"
    en = "A plan starts now or later and ends after it starts: rates of past sales are frozen."
