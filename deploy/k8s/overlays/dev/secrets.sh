#!/bin/sh
# Makes secrets.env beside it, random, unless it is there.
set -eu
cd "$(dirname "$0")"
[ -e secrets.env ] && exit 0
random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
umask 077
password=$(random)
cat > secrets.env <<END
POSTGRES_PASSWORD=$password
DATABASE_URL=postgres://smartqueue:$password@postgres/smartqueue
SECRET_KEY=$(random)
JWT_SIGNING_KEY=$(random)
ENCRYPTION_KEYS=k1:$(random)
END
