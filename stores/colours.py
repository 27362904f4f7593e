"""
A brand's colour as the roles that pages need, each with enough contrast: pure, no clock, no database.

Lightness moves in OKLCH (Ottosson 2020, "A perceptual color space for image processing"), where a step looks
alike in every hue; contrast is WCAG 2.2's (1.4.3, 1.4.11). What sRGB cannot show loses chroma, never hue.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

HEX = re.compile(r"#[0-9A-Fa-f]{6}")
STEP = 0.02
TEXT, CONTROL = 4.5, 3.0
NEAR_DEGREES = 25.0

WHITE, NIGHT = "#FFFFFF", "#06202A"
"""What is written on a brand's colour: whichever can be read better."""

Oklch = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Ground:
    """What of the fixed tokens a brand's colours must stand out from, and what stands in for them."""

    surface: str
    bg: str
    sunken: str
    ink: str
    stop: str


LIGHT = Ground(surface="#FFFFFF", bg="#F3F5F4", sunken="#E8ECEA", ink="#14201C", stop="#B0142E")
DARK = Ground(surface="#161F1C", bg="#0D1311", sunken="#0A0F0D", ink="#EDF2F0", stop="#B81F39")


@dataclass(frozen=True, slots=True)
class Change:
    """A colour that is not what the brand gave, and why: for whoever chooses it."""

    role: str
    given: str
    became: str
    code: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Palette:
    """The roles of one appearance, as hexes. ``hero`` is the header's ground, ``on_hero`` what is written on it."""

    brand: str
    on_brand: str
    brand_soft: str
    brand_ink: str
    hero: str
    on_hero: str


@dataclass(frozen=True, slots=True)
class Derived:
    light: Palette
    dark: Palette
    changes: tuple[Change, ...] = field(default=())


def derive(*, seed: str, hero: str | None = None) -> Derived:
    """
    Both appearances of a brand with this seed colour, and what had to give way.

    Raises:
        ValueError: not a colour like ``#0C6170``.
    """
    seed = checked(seed)
    hero = checked(hero) if hero else seed
    changes: list[Change] = []
    is_near_stop = near(seed, LIGHT.stop)
    light = _light(seed, hero, near_stop=is_near_stop, changes=changes)
    dark = _dark(seed, hero, near_stop=is_near_stop)
    return Derived(light=light, dark=dark, changes=tuple(changes))


def checked(colour: str) -> str:
    """
    The colour in one spelling.

    Raises:
        ValueError: not a colour like ``#0C6170``.
    """
    if not HEX.fullmatch(colour):
        raise ValueError("a colour is # and six hex digits")
    return colour.upper()


def contrast(one: str, other: str) -> float:
    """WCAG's ratio, 1 to 21."""
    lower, higher = sorted((_luminance(one), _luminance(other)))
    return (higher + 0.05) / (lower + 0.05)


def near(one: str, other: str) -> bool:
    """Whether two colours are of one hue; greys have none."""
    (_, chroma_one, hue_one), (_, chroma_other, hue_other) = oklch(one), oklch(other)
    apart = abs((hue_one - hue_other + 180) % 360 - 180)
    return min(chroma_one, chroma_other) > 0.04 and apart <= NEAR_DEGREES


def mixed(colour: str, ground: str, share: float) -> str:
    """``share`` of a colour laid over a ground."""
    pairs = zip(_bytes(colour), _bytes(ground), strict=True)
    return "#" + "".join(f"{round(top * share + below * (1 - share)):02X}" for top, below in pairs)


def with_lightness(colour: str, lightness: float) -> str:
    """The same hue at another lightness, with as much of its chroma as sRGB has there."""
    _, chroma, hue = oklch(colour)
    return _hex((min(max(lightness, 0.0), 1.0), chroma, hue))


def _light(seed: str, hero: str, *, near_stop: bool, changes: list[Change]) -> Palette:
    brand = next(one for one in _steps(seed, -STEP) if _stands_out(one, LIGHT))
    if brand != seed:
        changes.append(
            Change(
                "brand",
                seed,
                brand,
                "control_contrast",
                "按钮和页面底色要分得清（3:1）",
                "Buttons must stand out from the page (3:1).",
            )
        )
    readable = next(one for one in _steps(brand, -STEP) if contrast(_on(one), one) >= TEXT)
    if readable != brand:
        changes.append(
            Change(
                "brand",
                brand,
                readable,
                "text_contrast",
                "按钮上的字要看得清（4.5:1）",
                "Its words must be readable (4.5:1).",
            )
        )
    soft = mixed(seed, LIGHT.surface, 0.12)
    ink = next(one for one in _steps(seed, -STEP) if _is_text(one, LIGHT.surface, LIGHT.bg, soft))
    if near_stop:
        changes.append(
            Change(
                "brand_ink",
                ink,
                LIGHT.ink,
                "near_stop",
                "与「不行」的红色太近：只用于按钮和头图，不用于文字",
                "Too near to the red that says no: for buttons and header alone, never for words.",
            )
        )
        soft, ink = LIGHT.sunken, LIGHT.ink
    elif ink != seed:
        changes.append(
            Change("brand_ink", seed, ink, "text_contrast", "文字要看得清（4.5:1）", "Words must be readable (4.5:1).")
        )
    ground = next(one for one in _steps(hero, -STEP) if contrast(_on(one), one) >= TEXT)
    if ground != hero:
        changes.append(
            Change(
                "hero",
                hero,
                ground,
                "text_contrast",
                "头图上的字要看得清（4.5:1）",
                "Its words must be readable (4.5:1).",
            )
        )
    return Palette(readable, _on(readable), soft, ink, ground, _on(ground))


def _dark(seed: str, hero: str, *, near_stop: bool) -> Palette:
    lifted = with_lightness(seed, 0.70)
    brand = next(one for one in _steps(lifted, STEP) if _stands_out(one, DARK) and contrast(_on(one), one) >= TEXT)
    soft = mixed(seed, DARK.surface, 0.22)
    ink = next(one for one in _steps(with_lightness(seed, 0.82), STEP) if _is_text(one, DARK.surface, DARK.bg, soft))
    if near_stop:
        soft, ink = DARK.sunken, DARK.ink
    night = with_lightness(hero, min(oklch(hero)[0], 0.34))
    ground = next(one for one in _steps(night, -STEP) if contrast(WHITE, one) >= TEXT)
    return Palette(brand, _on(brand), soft, ink, ground, WHITE)


def _steps(colour: str, step: float) -> Iterator[str]:
    """The colour, then one step darker or lighter after another; ends in black or white, which satisfies."""
    yield colour
    lightness = oklch(colour)[0]
    while 0 < lightness < 1:
        lightness += step
        yield with_lightness(colour, lightness)


def _stands_out(colour: str, ground: Ground) -> bool:
    return min(contrast(colour, ground.surface), contrast(colour, ground.bg)) >= CONTROL


def _is_text(colour: str, *grounds: str) -> bool:
    return all(contrast(colour, ground) >= TEXT for ground in grounds)


def _on(colour: str) -> str:
    return max((WHITE, NIGHT), key=lambda text: contrast(text, colour))


def _bytes(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _linear(colour: str) -> list[float]:
    """Light, not signal: sRGB's transfer function undone."""
    values = [byte / 255 for byte in _bytes(colour)]
    return [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in values]


def _luminance(colour: str) -> float:
    red, green, blue = _linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def oklch(colour: str) -> Oklch:
    """Lightness 0 to 1, chroma, hue in degrees."""
    red, green, blue = _linear(colour)
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    medium = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    lightness = 0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short
    a = 1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short
    b = 0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short
    return lightness, math.hypot(a, b), math.degrees(math.atan2(b, a)) % 360


def _rgb(colour: Oklch) -> list[float]:
    """Linear sRGB; outside 0 to 1 where sRGB cannot show it."""
    lightness, chroma, hue = colour
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return [
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    ]


def _hex(colour: Oklch) -> str:
    lightness, chroma, hue = colour
    low, high = 0.0, chroma
    if not _is_shown(_rgb(colour)):
        for _ in range(20):  # a millionth of the chroma is below what a byte tells
            middle = (low + high) / 2
            low, high = (middle, high) if _is_shown(_rgb((lightness, middle, hue))) else (low, middle)
        chroma = low
    values = [min(max(value, 0.0), 1.0) for value in _rgb((lightness, chroma, hue))]
    signal = [value * 12.92 if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055 for value in values]
    return "#" + "".join(f"{round(value * 255):02X}" for value in signal)


def _is_shown(values: list[float]) -> bool:
    return all(-1e-4 <= value <= 1 + 1e-4 for value in values)
