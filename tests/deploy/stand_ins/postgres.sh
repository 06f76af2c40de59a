# Make the cluster that POSTGRES_USER, POSTGRES_DB and POSTGRES_PASSWORD ask for, once; then serve.
set -eu
as="setpriv --reuid=postgres --regid=postgres --init-groups"
chown postgres:postgres "$PGDATA"
chmod 0700 "$PGDATA"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  umask 077
  printf %s "$POSTGRES_PASSWORD" >/tmp/password
  chown postgres /tmp/password
  $as initdb --username="$POSTGRES_USER" --pwfile=/tmp/password --encoding=UTF8 \
    --auth-local=trust --auth-host=scram-sha-256
  rm /tmp/password
  echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
  echo "CREATE DATABASE $POSTGRES_DB" | $as postgres --single postgres
fi
exec $as postgres -c listen_addresses='*'
