#!/bin/sh
# Makes the cluster the first time, as the official image does, and becomes the server.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    initdb --pgdata="$PGDATA" --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" \
        --encoding=UTF8 --locale=C \
        --auth-host=scram-sha-256 --auth-local=trust
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    pg_ctl --wait --options="-c listen_addresses='' -k /run/postgresql" start
    createdb --host=/run/postgresql --username="$POSTGRES_USER" "$POSTGRES_USER"
    pg_ctl --wait stop
fi
exec postgres -c listen_addresses='*' -k /run/postgresql
