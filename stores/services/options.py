"""Questions about products and their answers: sizes, sugar, ice, toppings."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict
from uuid import UUID

from django.db import connection, transaction

from config.kernel.caller import Caller
from stores.errors import CodeTaken, OptionGroupInvalid, OptionGroupNotFound, OptionNotFound, OptionWithdrawn
from stores.models import Option, OptionGroup
from stores.services import brands, trail
from stores.services.made import Made


class GroupChanges(TypedDict, total=False):
    name: str
    name_en: str
    choose_least: int
    choose_most: int


class OptionChanges(TypedDict, total=False):
    name: str
    name_en: str
    price_delta_fen: int
    is_default: bool
    is_sold: bool
    position: int


@dataclass(frozen=True)
class NewOption:
    code: str
    name: str
    name_en: str = ""
    price_delta_fen: int = 0
    is_default: bool = False
    is_sold: bool = True
    position: int = 0


def create_group(
    *,
    brand_id: UUID,
    code: str,
    name: str,
    name_en: str = "",
    choose_least: int,
    choose_most: int,
    by: Caller,
    at: datetime,
) -> Made[OptionGroup]:
    """
    A question, without answers yet. The same again is the same group as it is now.

    Raises:
        CodeTaken: the code is another group's.
        OptionGroupInvalid: it asks for more answers than it takes.
    """
    _check(choose_least, choose_most)
    content = {"name": name, "name_en": name_en, "choose_least": choose_least, "choose_most": choose_most}
    with transaction.atomic(durable=True):
        brands.lock(brand_id)
        if found := OptionGroup.objects.filter(brand_id=brand_id, code=code).first():
            if any(getattr(found, field) != value for field, value in content.items()):
                raise CodeTaken(value=code, param="code")
            return Made(found, is_new=False)
        group = OptionGroup.objects.create(brand_id=brand_id, code=code, created_at=at, **content)
        trail.leave("option_group.created", group, brand_id=brand_id, by=by, at=at, details={"code": code})
        return Made(group, is_new=True)


def edit_group(*, group_id: UUID, changes: GroupChanges, by: Caller, at: datetime) -> OptionGroup:
    """
    Rename a question, or ask for fewer or more answers. Repeating changes nothing.

    Raises:
        OptionGroupNotFound: as it says.
        OptionGroupInvalid: more answers asked for than taken, or more defaults than it takes.
    """
    with transaction.atomic(durable=True):
        group = _lock(group_id)
        most = changes.get("choose_most", group.choose_most)
        _check(changes.get("choose_least", group.choose_least), most)
        _check_defaults(group, most)
        if told := trail.change(group, dict(changes)):
            trail.leave("option_group.edited", group, brand_id=group.brand_id, by=by, at=at, details=told)
        return group


def add(*, group_id: UUID, new: NewOption, by: Caller, at: datetime) -> Made[Option]:
    """
    An answer. The same again is the same option as it is now.

    Raises:
        OptionGroupNotFound: as it says.
        CodeTaken: the code is another option's of this group, a withdrawn one's included.
        OptionGroupInvalid: one more default than the group takes.
    """
    content = {
        "name": new.name,
        "name_en": new.name_en,
        "price_delta_fen": new.price_delta_fen,
        "is_default": new.is_default,
        "is_sold": new.is_sold,
        "position": new.position,
    }
    with transaction.atomic(durable=True):
        group = _lock(group_id)
        if found := Option.objects.filter(group=group, code=new.code).first():
            if any(getattr(found, field) != value for field, value in content.items()):
                raise CodeTaken(value=new.code, param="code")
            return Made(found, is_new=False)
        option = Option.objects.create(group=group, code=new.code, created_at=at, **content)
        _check_defaults(group, group.choose_most)
        trail.leave("option.created", option, brand_id=group.brand_id, by=by, at=at, details={"code": new.code})
        return Made(option, is_new=True)


def edit(*, option_id: UUID, changes: OptionChanges, by: Caller, at: datetime) -> Option:
    """
    Rename or price an answer, make it the default, take it off every store's menu or put it back.

    Raises:
        OptionNotFound, OptionWithdrawn: as they say.
        OptionGroupInvalid: one more default than the group takes.
    """
    with transaction.atomic(durable=True):
        option = _lock_option(option_id)
        if option.withdrawn_at is not None:
            raise OptionWithdrawn(withdrawn_at=option.withdrawn_at.isoformat())
        told = trail.change(option, dict(changes))
        _check_defaults(option.group, option.group.choose_most)
        if told:
            _leave("option.edited", option, by=by, at=at, details=told)
        return option


def withdraw(*, option_id: UUID, by: Caller, at: datetime) -> Option:
    """
    Nobody chooses it any more, for good; its id stays. Repeating changes nothing.

    Raises:
        OptionNotFound: as it says.
    """
    with transaction.atomic(durable=True):
        option = _lock_option(option_id)
        if option.withdrawn_at is None:
            option.withdrawn_at, option.is_sold, option.is_default = at, False, False
            option.save(update_fields=["withdrawn_at", "is_sold", "is_default"])
            _leave("option.withdrawn", option, by=by, at=at, details={})
        return option


def _lock(group_id: UUID) -> OptionGroup:
    assert connection.in_atomic_block, "a lock lasts as long as its transaction"
    group = OptionGroup.objects.select_for_update(no_key=True).filter(id=group_id).first()
    if group is None:
        raise OptionGroupNotFound
    return group


def _lock_option(option_id: UUID) -> Option:
    """The option as it is under its group's lock, which guards the defaults."""
    group_id = Option.objects.filter(id=option_id).values_list("group_id", flat=True).first()
    if group_id is None:
        raise OptionNotFound
    group = _lock(group_id)
    option = Option.objects.get(id=option_id)
    option.group = group
    return option


def _check(choose_least: int, choose_most: int) -> None:
    if choose_least > choose_most:
        raise OptionGroupInvalid(param="choose_least", reason="it asks for more answers than it takes")


def _check_defaults(group: OptionGroup, choose_most: int) -> None:
    if group.options.filter(is_default=True).count() > choose_most:
        raise OptionGroupInvalid(param="is_default", reason=f"it takes {choose_most} answers and has more defaults")


def _leave(act: str, option: Option, *, by: Caller, at: datetime, details: dict[str, Any]) -> None:
    trail.leave(act, option, brand_id=option.group.brand_id, by=by, at=at, details=details)
