# syntax=docker/dockerfile:1
# For a build that can be repeated, name both images by digest: --build-arg BASE=debian@sha256:…
ARG GO=golang:1.26-bookworm
ARG BASE=debian:bookworm-slim

FROM ${GO} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o /rollcall ./cmd/rollcall

# Debian, not distroless: sources need git, commands need sh.
FROM ${BASE}
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates git openssh-client tini \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin rollcall \
 && install -d -o rollcall -g rollcall -m 0700 /data
COPY --from=build /rollcall /usr/local/bin/rollcall
USER rollcall
WORKDIR /data
VOLUME /data
EXPOSE 8484
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s CMD ["/usr/local/bin/rollcall", "healthcheck"]
# tini reaps what a command leaves behind; the service itself never forks but for its supervisors.
ENTRYPOINT ["/usr/bin/tini", "--", "/usr/local/bin/rollcall"]
CMD ["serve", "--config", "/data/rollcall.yaml"]
