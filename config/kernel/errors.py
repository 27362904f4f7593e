"""
How Hexiao says no.

Every refusal a caller can meet is a class with a constant ``code``; programs branch on the code,
people read the message. Codes are unique over the whole project and never change their meaning.
"""

import re
from datetime import datetime
from typing import Any, ClassVar

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d")


class DomainError(Exception):
    """
    An expected refusal.

    ``zh`` and ``en`` are the sentences on the screen; ``{name}`` in them is filled from ``details``, where moments
    are ISO 8601 in the zone of the place they speak of, where there is one.
    """

    kind: ClassVar[str] = ""
    status: ClassVar[int] = 0
    code: ClassVar[str] = ""
    zh: ClassVar[str] = ""
    en: ClassVar[str] = ""
    registry: ClassVar[dict[str, type["DomainError"]]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "code" not in cls.__dict__:
            return
        known = DomainError.registry.setdefault(cls.code, cls)
        assert known.__module__ == cls.__module__, f"two errors share the code {cls.code!r}"

    def __init__(self, *, param: str | None = None, **details: Any) -> None:
        super().__init__(self.code)
        self.param = param
        self.details = details

    def message(self, language: str) -> str:
        """The sentence for a person, in ``zh`` or ``en``; ``details`` fill its blanks."""
        sentence = self.en if language == "en" else self.zh
        return sentence.format(**{name: _as_read(value) for name, value in self.details.items()})


def _as_read(value: Any) -> Any:
    """A moment as a clock on the wall shows it, in the zone that its detail names; anything else as it is."""
    if not (isinstance(value, str) and MOMENT.fullmatch(value)):
        return value
    moment = datetime.fromisoformat(value)
    return f"{moment:%Y-%m-%d %H:%M}" + ("" if moment.utcoffset() else " UTC")


class NotFound(DomainError):
    """It is not there, or not the caller's to see."""

    kind, status = "not_found", 404


class Forbidden(DomainError):
    """It is there, and the caller may not."""

    kind, status = "forbidden", 403


class Unauthenticated(DomainError):
    """Nobody, or nobody any more."""

    kind, status = "unauthenticated", 401


class Conflict(DomainError):
    """The state of things says no; it may say yes another time."""

    kind, status = "conflict", 409


class Invalid(DomainError):
    """The request can never be right as it stands."""

    kind, status = "invalid", 422


class TooMany(DomainError):
    """Slow down; ``retry_after_seconds`` in the details says how long."""

    kind, status = "too_many", 429


class Unavailable(DomainError):
    """A server's trouble, not the caller's; the same request may be sent again."""

    kind, status = "unavailable", 503


class MalformedId(NotFound):
    code = "malformed_id"
    zh = "编号格式不对，应为 {expected}"
    en = "This is not an id of the expected form {expected}."


class IdempotencyKeyRequired(Invalid):
    code = "idempotency_key_required"
    zh = "请求头缺少 Idempotency-Key（UUID）"
    en = "Send an Idempotency-Key header with a UUID: it makes this request safe to repeat."


class IdempotencyConflict(Conflict):
    code = "idempotency_conflict"
    zh = "同一个 Idempotency-Key 之前用于另一个请求"
    en = "This Idempotency-Key came before with other content. Use a new key for a new request."


class NotSignedIn(Unauthenticated):
    code = "not_signed_in"
    zh = "请先登录"
    en = "Sign in first: no valid credentials came with this request."


class TokenExpired(Unauthenticated):
    code = "token_expired"
    zh = "登录已过期，请重新登录"
    en = "This token has expired. Get a new one."


class NotAllowed(Forbidden):
    code = "not_allowed"
    zh = "您没有权限做这件事"
    en = "Your role does not allow this."


class MalformedRequest(Invalid):
    code = "malformed_request"
    zh = "请求内容有误"
    en = "The request does not have the documented form; details name each field."


class MalformedJson(Invalid):
    code, status = "malformed_json", 400
    zh = "请求内容不是有效的 JSON"
    en = "The body is not valid JSON."


class UnsupportedMediaType(Invalid):
    code, status = "unsupported_media_type", 415
    zh = "请使用 application/json"
    en = "Send application/json."


class BadRequest(Invalid):
    code, status = "bad_request", 400
    zh = "请求无法识别"
    en = "This is not a request that this site understands: look at its host name, headers and form."


class NotAcceptable(Invalid):
    code, status = "not_acceptable", 406
    zh = "本接口只返回 application/json"
    en = "Answers are application/json; the Accept header rules that out."


class ValueNotStorable(Invalid):
    code = "value_not_storable"
    zh = "有内容超出可保存的范围，或含有无法保存的字符"
    en = "A value is out of range, or holds characters that cannot be stored. Nothing was done."


class ConflictingFacts(Conflict):
    code = "conflicting_facts"
    zh = "与已有记录冲突，没有任何改动"
    en = "This contradicts what is already on record, so nothing was done."


class RequestTooLarge(Invalid):
    code, status = "request_too_large", 413
    zh = "请求内容过大"
    en = "The body is larger than this operation takes."


class UnknownParameter(Invalid):
    code = "unknown_parameter"
    zh = "未知参数：{names}"
    en = "Unknown parameter: {names}. Nothing is ignored here, so nothing was done."


class NoSuchPage(NotFound):
    code = "no_such_page"
    zh = "没有这个地址"
    en = "There is nothing at this address."


class MethodNotAllowed(Invalid):
    code, status = "method_not_allowed", 405
    zh = "该地址不支持此操作"
    en = "This address does not take that method."


class TooManyRequests(TooMany):
    code = "too_many_requests"
    zh = "操作太快，请 {retry_after_seconds} 秒后再试"
    en = "Too many requests. Try again in {retry_after_seconds} s."


class OutcomeUnknown(Unavailable):
    code = "outcome_unknown"
    zh = "正在确认结果，请用同一个请求再试一次"
    en = "The outcome is not known yet. Send the same request again with the same Idempotency-Key."


class Overloaded(Unavailable):
    code = "overloaded"
    zh = "排队的人太多，请 {retry_after_seconds} 秒后再试；没有扣款"
    en = "Too many are waiting. Nothing was done; try again in {retry_after_seconds} s."


class DatabaseUnavailable(Unavailable):
    code = "database_unavailable"
    zh = "系统正在恢复，请稍后再试"
    en = "The database does not answer. Send the same request again in a moment."


class InternalError(DomainError):
    kind, status = "internal", 500
    code = "internal_error"
    zh = "系统出错了，我们已收到记录"
    en = "Something broke on our side; it is logged under this request id."
