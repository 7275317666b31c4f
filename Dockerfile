# The service's images: `api` (no scoring code's dependencies), `worker` (scores on CPUs) and
# `worker-gpu` (with torch). All take the versions of pyproject.toml and constraints.txt.

# Any image with a Python 3.11 to 3.13 as `python3`; all stages must share it, since the virtual
# environment that they pass on names its interpreter.
ARG BASE=python:3.13-slim-trixie


FROM ${BASE} AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python3 -m venv /opt/pip \
    && /opt/pip/bin/pip install pip==26.3 \
    && python3 -m venv --without-pip /opt/cosmoboard
ENV PATH=/opt/pip/bin:$PATH PIP_PYTHON=/opt/cosmoboard/bin/python
COPY pyproject.toml constraints.txt README.md ./
# Empty packages are enough for setuptools to name the dependencies: what is installed from here on
# is built again only when a version changes.
RUN python3 -c "import os, tomllib; \
[os.makedirs(package.replace('.', '/'), exist_ok=True) for package in \
tomllib.load(open('pyproject.toml', 'rb'))['tool']['setuptools']['packages']]"

FROM build AS api-dependencies
RUN pip install --only-deps -c constraints.txt '.[api]'

FROM build AS worker-dependencies
RUN pip install --only-deps -c constraints.txt '.[worker]'

FROM worker-dependencies AS worker-gpu-dependencies
RUN pip install --only-deps -c constraints.txt '.[worker,baseline]'

FROM build AS project
COPY . .
RUN pip install --no-deps --prefix /opt/project .


FROM ${BASE} AS runtime
LABEL org.opencontainers.image.title="Cosmoboard" \
      org.opencontainers.image.description="A leaderboard of generative models of the cosmic web" \
      org.opencontainers.image.licenses="MIT"
# Named volumes take over owner and mode of these folders. The last one holds compiled kernels and
# FFT plans: whatever is lost there is made again.
RUN useradd --uid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin cosmoboard \
    && install -d -o cosmoboard -g cosmoboard -m 0750 /data /secrets /cache
ENV PATH=/opt/cosmoboard/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    COSMOBOARD_DATA=/data \
    NUMBA_CACHE_DIR=/cache/numba \
    XDG_CACHE_HOME=/cache
WORKDIR /data
USER 10001:10001

FROM runtime AS api
COPY --from=api-dependencies /opt/cosmoboard /opt/cosmoboard
COPY --from=project /opt/project /opt/cosmoboard
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
CMD ["uvicorn", "api.app:create_app", "--factory", "--host", "0.0.0.0", "--port", "8000"]

FROM runtime AS scoring
# One submission at a time in each container: `--scale worker=N` adds more. Tasks under way are
# finished before the container stops.
HEALTHCHECK --interval=60s --timeout=20s --start-period=120s \
    CMD ["sh", "-c", "celery --quiet --app worker.app inspect ping --timeout 10 --destination celery@$(hostname)"]
CMD ["celery", "--quiet", "--app", "worker.app", "worker", "--concurrency", "1", \
     "--without-gossip", "--without-mingle"]

FROM scoring AS worker
COPY --from=worker-dependencies /opt/cosmoboard /opt/cosmoboard
COPY --from=project /opt/project /opt/cosmoboard

FROM scoring AS worker-gpu
COPY --from=worker-gpu-dependencies /opt/cosmoboard /opt/cosmoboard
COPY --from=project /opt/project /opt/cosmoboard
