#!/bin/sh
# Podman, as podman-compose is told to call it.
#
# Podman 4 cannot start a container that requires a finished one which requires a running one, so
# the order of starts is left to podman-compose alone. What the pip of this machine is configured
# with is shown to builds, too.
set -eu
for argument; do
    shift
    case $argument in
    --requires=*) ;;
    *) set -- "$@" "$argument" ;;
    esac
done
if [ "$1" = build ] && [ -f /etc/pip.conf ]; then
    shift
    set -- build --volume /etc/pip.conf:/etc/pip.conf:ro \
        --volume /etc/ssl/certs/ca-certificates.crt:/etc/ssl/certs/ca-certificates.crt:ro "$@"
fi
exec podman "$@"
