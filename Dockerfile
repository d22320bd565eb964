# Two stages: the first has what building needs, the second has what running needs.
FROM python:3.13-slim AS build
WORKDIR /build
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY src src
COPY migrations migrations
COPY bundles bundles
RUN python -m venv /opt/perdure \
 && /opt/perdure/bin/pip install --no-cache-dir --disable-pip-version-check '.[local,sandbox,s3,pdf]'

FROM python:3.13-slim
LABEL org.opencontainers.image.title="Perdure" \
      org.opencontainers.image.description="A gateway-first control plane for durable AI agents and flows" \
      org.opencontainers.image.licenses="MIT"

# libgomp is what the embedded model's wheel links to.
RUN apt-get update \
 && apt-get install -y --no-install-recommends libgomp1 \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 perdure \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin perdure \
 && install -d -o 10001 -g 10001 -m 0700 /data
COPY --from=build /opt/perdure /opt/perdure

ENV PATH="/opt/perdure/bin:$PATH" \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PERDURE_DATA_DIR=/data
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=3s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import urllib.request as it; it.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]
ENTRYPOINT ["perdure"]
CMD ["serve", "--host", "0.0.0.0"]
