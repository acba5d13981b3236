# The edge container, under two names: `upfront` runs proxyd, and `kamal-proxy`, which
# is the last stage and so what a plain build makes, is what Kamal 2 takes for its own.
# They have all layers in common and differ in the command that runs when none is given;
# either does the work of the other when the command says so.
#
# `make image` and `make kamal-image` prepare the build context bin/image; no network
# and no base image are needed. `make images` does it for every system in PLATFORMS.
#
#   amd64/, arm64/   the static program that is proxyd, proxyctl and kamal-proxy,
#                    after the name that it is called by
#   root/            /tmp, the CA bundle of the machine that builds, and the names
#                    proxyd and proxyctl as links to the program
#   owned/           empty: what the folders of our user are made from
#
#   docker run -d --name edge --network web -p 80:80 -v upfront-state:/var/lib/upfront upfront:VERSION
#   docker exec edge proxyctl deploy web --target web-v1:3000
#
# There is no ENTRYPOINT: `docker run IMAGE kamal-proxy run --debug` and
# `docker run IMAGE proxyctl version` say which program they mean.
FROM scratch AS upfront
# BuildKit knows it; the older builder has to be told.
ARG TARGETARCH

COPY root/ /
COPY ${TARGETARCH}/kamal-proxy /usr/local/bin/kamal-proxy

# Named volumes take their owner from these. The socket's folder has to be ours. 1001
# is the user of kamal-proxy's own image, whose volumes we take over.
COPY --chown=1001:1001 owned/ /home/kamal-proxy/
COPY --chown=1001:1001 owned/ /home/kamal-proxy/.config/kamal-proxy/
COPY --chown=1001:1001 owned/ /home/kamal-proxy/.apps-config/
COPY --chown=1001:1001 owned/ /var/lib/upfront/
COPY --chown=1001:1001 owned/ /run/upfront/

USER 1001:1001
WORKDIR /home/kamal-proxy
ENV HOME=/home/kamal-proxy
# proxyd has its state in /var/lib/upfront/state.json and its control socket in
# /run/upfront/control.sock: the defaults of a user who may write there. kamal-proxy has
# its state where Kamal mounts a volume, and this socket too, so that proxyctl and the
# HEALTHCHECK find either.
ENV KAMAL_PROXY_SOCKET=/run/upfront/control.sock

EXPOSE 80 443
STOPSIGNAL SIGTERM

# Kamal prunes its proxy by this label, both the container and the image: without it
# `kamal proxy reboot` stops the old container and cannot start the new one.
LABEL org.opencontainers.image.title=kamal-proxy

# Asks the running proxyd; a config file or state with a problem is no reason to
# replace the container, so only the answer counts.
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 \
    CMD ["/usr/local/bin/proxyctl", "status"]

CMD ["proxyd"]

FROM upfront AS kamal-proxy
CMD ["kamal-proxy", "run"]
