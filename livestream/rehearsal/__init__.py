"""A whole livestream on one machine: what ``manage.py demo`` plays, over HTTP like everybody else."""
