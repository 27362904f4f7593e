"""A promoter's code is hers for ever."""

import pytest

from livestream.errors import PromoterCodeTaken
from livestream.models import Promoter
from livestream.queries import NO_COMMISSION, stage
from livestream.services import promoters
from stores.models import Brand
from stores.services.made import Made
from tests import factories
from tests.factories import NOW
from tests.livestream.conftest import OPERATOR, acts

pytestmark = pytest.mark.django_db


def create(brand: Brand, code: str = "aqing", name: str = "阿青") -> Made[Promoter]:
    return promoters.create(brand_id=brand.id, code=code, name=name, by=OPERATOR, at=NOW)


def test_the_same_again_is_the_same_promoter(brand: Brand) -> None:
    first, again = create(brand), create(brand)

    assert (first.is_new, again.is_new, again.row) == (True, False, first.row)
    assert acts(first.row.id) == ["promoter.created"]


def test_her_code_is_no_other_promoters_even_after_she_has_ended(brand: Brand) -> None:
    promoters.end(promoter=create(brand).row, by=OPERATOR, at=NOW)

    with pytest.raises(PromoterCodeTaken):
        create(brand, name="小满")
    assert create(factories.brand(), name="小满").is_new


def test_an_ended_promoters_links_count_for_nobody(brand: Brand) -> None:
    promoter = create(brand).row
    session = factories.live_session(brand)
    found = stage().commission(brand_id=brand.id, session_id=session.id, promoter_code="aqing", at=NOW)
    assert found.promoter_id == promoter.id

    ended = [promoters.end(promoter=promoter, by=OPERATOR, at=NOW) for _ in range(2)]

    gone = stage().commission(brand_id=brand.id, session_id=session.id, promoter_code="aqing", at=NOW)
    assert gone == NO_COMMISSION
    assert [one.ended_at for one in ended] == [NOW, NOW]
    assert acts(promoter.id) == ["promoter.created", "promoter.ended"]
