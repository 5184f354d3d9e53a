# One image for every role; the command says which. Not run by us with a container engine: see docs/cluster.md.
FROM node:24-bookworm-slim AS build
WORKDIR /opt/kiroku
COPY . .
RUN node tools/bootstrap.mjs build

FROM node:24-bookworm-slim
WORKDIR /opt/kiroku
COPY package.json package-lock.json .npmrc kiroku ./
COPY tools/bootstrap.mjs tools/built-apps.mjs tools/
# What npm runs after an install lists the applications, built or not.
RUN mkdir -p apps bench && npm ci --omit=dev --include=optional --no-audit --no-fund \
  && groupadd --gid 10001 kiroku && useradd --uid 10001 --gid kiroku --home-dir /var/lib/kiroku --shell /usr/sbin/nologin kiroku \
  && install -d -o kiroku -g kiroku -m 0700 /var/lib/kiroku && install -d -o kiroku -g kiroku -m 0700 /var/lib/kiroku/tls
COPY --from=build /opt/kiroku/dist dist
USER kiroku
ENV KIROKU_DATA=/var/lib/kiroku KIROKU_BIND=0.0.0.0 NODE_ENV=production
VOLUME /var/lib/kiroku
EXPOSE 2525 2587 2465 2110 2995 2143 2993 8080
# Roles drain for 20 s, the supervisor waits for 30: give a container 60 s to stop.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/kiroku/kiroku"]
CMD ["up"]
