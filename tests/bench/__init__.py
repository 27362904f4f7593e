"""``make bench``: figures measured on this machine, as JSON lines. Never a test: no figure here can fail a build."""
