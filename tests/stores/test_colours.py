"""Whatever colour a brand gives, its pages can be read: the contrast floors of the fixed tokens hold for its roles."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stores import colours
from stores.colours import DARK, LIGHT, contrast, derive

INK2 = {"light": "#46544F", "dark": "#B7C3BE"}
QINGYU, YELLOW, PALE, RED, GREY = "#0C6170", "#FFD500", "#FFFFFF", "#E60012", "#808080"
HEXES = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06X}")


def pairs_that_fail(seed: str, hero: str | None = None) -> list[str]:
    """The promised pairs whose contrast is below their floor."""
    derived = derive(seed=seed, hero=hero)
    failing = []
    for name, palette, ground in (("light", derived.light, LIGHT), ("dark", derived.dark, DARK)):
        promised = [
            ("brand on surface", palette.brand, ground.surface, 3.0),
            ("brand on bg", palette.brand, ground.bg, 3.0),
            ("on_brand on brand", palette.on_brand, palette.brand, 4.5),
            ("brand_ink on surface", palette.brand_ink, ground.surface, 4.5),
            ("brand_ink on bg", palette.brand_ink, ground.bg, 4.5),
            ("brand_ink on brand_soft", palette.brand_ink, palette.brand_soft, 4.5),
            ("ink2 on brand_soft", INK2[name], palette.brand_soft, 4.5),
            ("on_hero on hero", palette.on_hero, palette.hero, 4.5),
        ]
        failing += [f"{name}: {pair} {contrast(a, b):.2f}" for pair, a, b, floor in promised if contrast(a, b) < floor]
    return failing


def roles_changed(seed: str, hero: str | None = None) -> list[tuple[str, str]]:
    return [(change.role, change.code) for change in derive(seed=seed, hero=hero).changes]


@pytest.mark.parametrize("seed", [QINGYU, YELLOW, PALE, RED, GREY, "#000000", "#0000FF", "#00FF00", "#F5A623"])
def test_the_pairs_that_pages_use_can_be_read(seed: str) -> None:
    assert pairs_that_fail(seed) == []


@settings(max_examples=150, deadline=None)
@given(seed=HEXES, hero=st.none() | HEXES)
def test_any_colour_will_do(seed: str, hero: str | None) -> None:
    assert pairs_that_fail(seed, hero) == []


def test_a_dark_colour_stays_as_the_brand_gave_it() -> None:
    light = derive(seed=QINGYU).light

    assert light.brand == light.brand_ink == light.hero == QINGYU
    assert light.on_brand == "#FFFFFF"
    assert roles_changed(QINGYU) == []


def test_yellow_is_a_fill_with_dark_words_and_never_the_colour_of_words() -> None:
    light = derive(seed=YELLOW).light

    assert light.hero == YELLOW
    assert light.on_hero == light.on_brand == colours.NIGHT
    assert colours.near(light.brand, YELLOW)
    assert contrast(light.brand_ink, "#FFFFFF") >= 4.5
    assert roles_changed(YELLOW) == [("brand", "control_contrast"), ("brand_ink", "text_contrast")]


def test_white_becomes_a_grey_that_stands_out() -> None:
    light = derive(seed=PALE).light

    assert light.brand not in (PALE, "#000000")
    assert colours.oklch(light.brand)[1] < 0.01


def test_a_red_like_the_one_that_says_no_is_for_buttons_and_the_header_alone() -> None:
    light = derive(seed=RED).light

    assert light.brand == light.hero == RED
    assert light.brand_ink == LIGHT.ink
    assert light.brand_soft == LIGHT.sunken
    assert ("brand_ink", "near_stop") in roles_changed(RED)


def test_grey_has_no_hue_and_so_is_near_to_none() -> None:
    assert ("brand_ink", "near_stop") not in roles_changed(GREY)


def test_a_change_says_why_in_both_languages() -> None:
    for change in derive(seed=YELLOW, hero="#999999").changes:
        assert change.zh
        assert change.en
        assert change.given != change.became


@settings(max_examples=100, deadline=None)
@given(colour=HEXES)
def test_oklch_and_back_is_the_same_colour(colour: str) -> None:
    assert colours.with_lightness(colour, colours.oklch(colour)[0]) == colour


def test_oklch_agrees_with_its_authors_examples() -> None:
    """https://www.w3.org/TR/css-color-4/#color-conversion-code: green is oklch(0.51975 0.17686 142.495)."""
    assert colours.oklch("#008000") == pytest.approx((0.51975, 0.17686, 142.495), abs=1e-3)


@pytest.mark.parametrize("rubbish", ["", "0C6170", "#0C617", "#0C61700", "red", "#GGGGGG", "#0C6170\n"])
def test_rubbish_is_no_colour(rubbish: str) -> None:
    with pytest.raises(ValueError, match="six hex digits"):
        derive(seed=rubbish)
