"""The real trace of a grocer's coupons, played through the services: ``manage.py replay``. It holds no rule."""
