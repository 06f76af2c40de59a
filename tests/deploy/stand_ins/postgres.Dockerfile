# Stands in for postgres:15-bookworm: Debian's PostgreSQL, with as much of that image's start as
# deploy/compose asks for.
FROM mlinfn-debian:bookworm
RUN userdel person && apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql-15 \
    && rm -rf /var/lib/apt/lists/* && install -d -o postgres /var/lib/postgresql/data
COPY postgres.sh /usr/local/bin/
ENV PATH=/usr/lib/postgresql/15/bin:$PATH PGDATA=/var/lib/postgresql/data LC_ALL=C
CMD ["sh", "/usr/local/bin/postgres.sh"]
