"""
The colours by their role, light and dark, and the contrast that WCAG 2.2 asks of them.

``static/design/tokens.css`` is ``as_css()``, and a test keeps it so. A brand's theme is derived against
the same numbers: colour only ever means a result, so done, stop, wait, gain, ink and focus are nobody's to change.
"""

from collections.abc import Mapping

Tokens = Mapping[str, str]

LIGHT: Tokens = {
    "bg": "#F3F5F4",
    "surface": "#FFFFFF",
    "sunken": "#E8ECEA",
    "line": "#D6DDDA",
    "edge": "#71807A",
    "ink": "#14201C",
    "ink2": "#46544F",
    "ink3": "#5D6A65",
    "act": "#14201C",
    "on-act": "#FFFFFF",
    "done": "#0B6B3A",
    "on-done": "#FFFFFF",
    "done-soft": "#E2F3E9",
    "done-ink": "#0A5C32",
    "stop": "#B0142E",
    "on-stop": "#FFFFFF",
    "stop-soft": "#FCE9EB",
    "stop-ink": "#9A1029",
    "gain-soft": "#FDEDE2",
    "gain-ink": "#A03A08",
    "wait-soft": "#FFF2D2",
    "wait-ink": "#734B00",
    "brand": "#0C6170",
    "on-brand": "#FFFFFF",
    "brand-soft": "#E1F0F2",
    "brand-ink": "#0B5563",
    "hero": "#0B5866",
    "on-hero": "#FFFFFF",
    "focus": "#1459C8",
}
DARK: Tokens = {
    "bg": "#0D1311",
    "surface": "#161F1C",
    "sunken": "#0A0F0D",
    "line": "#2C3934",
    "edge": "#788881",
    "ink": "#EDF2F0",
    "ink2": "#B7C3BE",
    "ink3": "#97A59F",
    "act": "#EDF2F0",
    "on-act": "#101815",
    "done": "#0D7040",
    "on-done": "#FFFFFF",
    "done-soft": "#10301F",
    "done-ink": "#6AD8A1",
    "stop": "#B81F39",
    "on-stop": "#FFFFFF",
    "stop-soft": "#3B151B",
    "stop-ink": "#FF9FA9",
    "gain-soft": "#38200F",
    "gain-ink": "#FFB285",
    "wait-soft": "#32270B",
    "wait-ink": "#F3C864",
    "brand": "#4DB3C4",
    "on-brand": "#06202A",
    "brand-soft": "#10303A",
    "brand-ink": "#83D5E3",
    "hero": "#0B3B45",
    "on-hero": "#FFFFFF",
    "focus": "#8DB8FF",
}


def luminance(colour: str) -> float:
    """Relative luminance of ``#RRGGBB`` (WCAG 2.2, from sRGB)."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """1 (the same) to 21 (black on white)."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def as_css() -> str:
    """The tokens as custom properties: the system's choice, which ``data-theme`` on any element overrides."""
    light, dark = _declared(LIGHT, "light"), _declared(DARK, "dark")
    return (
        "/* Made from config/pages/design/tokens.py; a test says when it is behind. */\n"
        f":root,[data-theme=light]{{{light}}}\n"
        f"@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark}}}}}\n"
        f"[data-theme=dark]{{{dark}}}\n"
    )


def _declared(tokens: Tokens, scheme: str) -> str:
    return f"color-scheme:{scheme};" + "".join(f"--{role}:{colour};" for role, colour in tokens.items())
