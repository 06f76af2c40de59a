# Stands in for python:3.11-slim-bookworm: the tests' own Python on a minimal Debian.
FROM mlinfn-debian:bookworm
COPY authorities.pem /etc/ssl/certs/ca-certificates.crt
COPY python /usr/local
RUN userdel person && ldconfig && python3 --version
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt
