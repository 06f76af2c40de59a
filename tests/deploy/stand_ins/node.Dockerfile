# Stands in for node:22-bookworm-slim: the machine's own Node on a minimal Debian.
FROM mlinfn-debian:bookworm
COPY authorities.pem /etc/ssl/certs/ca-certificates.crt
COPY node /usr/local
RUN userdel person && useradd --create-home --uid 1000 node && npm --version
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
