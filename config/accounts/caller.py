"""The caller's shape under its domain name; it is defined in the kernel, whose API edge reads it."""

from config.kernel.caller import MACHINE, Caller, CallerKind

__all__ = ["MACHINE", "Caller", "CallerKind"]
