"""How livestream says no."""

from config.kernel.errors import Conflict, NotFound


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


class OfferListedAlready(Conflict):
    code = "offer_listed_already"
    zh = "这个商品已经在一场直播里了"
    en = "This offer is listed in a session already."


class PositionTaken(Conflict):
    code = "position_taken"
    zh = "这个位置已有商品"
    en = "Another listing has this position."


class PromoterNotFound(NotFound):
    code = "promoter_not_found"
    zh = "没有这个达人"
    en = "There is no such promoter."


class PromoterCodeTaken(Conflict):
    code = "promoter_code_taken"
    zh = "这个达人编码已被使用"
    en = "Another promoter has this code."


class ListingNotFound(NotFound):
    code = "listing_not_found"
    zh = "没有这个商品位"
    en = "There is no such listing."
