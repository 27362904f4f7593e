"""Drawings of drinks for products that have no picture, and the parts of a card by its state."""

from zlib import crc32

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

CUPS = ("fruit", "milk", "berry", "cheese")


@register.simple_tag
def cup_of(code: str) -> str:
    """The address of a product's drawing."""
    return static(f"shop/cup-{CUPS[crc32(code.encode()) % len(CUPS)]}.svg")


@register.simple_tag
def drawing(name: str) -> str:
    return static(f"shop/cup-{name}.svg")


@register.simple_tag
def when(states: str, state: str) -> SafeString:
    """Of an element that is there in these states alone: the page turns a card without asking the site."""
    return format_html('data-when="{}"{}', states, "" if state in states.split() else SafeString(" hidden"))
