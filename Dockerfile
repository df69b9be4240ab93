# The server in a small image, without root. docker build -t roomcast .
#
# docker run -p 3000:3000 -v roomcast:/data roomcast

# The official client that the server hands out at /socket.io/socket.io.js, and the Admin UI at /admin/.
FROM node:22-bookworm-slim AS page
WORKDIR /page
COPY public/package.json public/package-lock.json public/.npmrc ./
RUN npm ci --no-audit --no-fund

FROM rust:1.94-slim-bookworm AS build
WORKDIR /roomcast
COPY . .
COPY --from=page /page/node_modules public/node_modules
# What `roomcast --version` prints. A package of the Makefile has the commit there.
ARG ROOMCAST_VERSION
RUN cargo build --locked --release --features otlp && objcopy --strip-all target/release/roomcast /usr/bin/roomcast

FROM debian:bookworm-slim
# Trusted authorities, for keys and back ends at https addresses. In /data is the key, for no other user.
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates \
	&& rm -rf /var/lib/apt/lists/* && install --directory --mode=700 --owner=65532 --group=65532 /data
COPY --from=build /usr/bin/roomcast /usr/bin/roomcast
USER 65532:65532
VOLUME /data
ENV ROOMCAST_LISTEN=0.0.0.0:3000 ROOMCAST_DATA=/data
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["roomcast", "health"]
# SIGTERM drains, within 9 seconds by default: `docker stop` waits for 10.
ENTRYPOINT ["roomcast"]
