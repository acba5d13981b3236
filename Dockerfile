# The edge container. `make image` prepares the build context bin/image and builds
# it; no network and no base image are needed:
#
#   proxyd, proxyctl   static programs
#   root/              /tmp, and the CA bundle of the machine that builds
#   owned/             empty: what the folders of our user are made from
#
#   docker run -d --name edge --network web -p 80:80 -v upfront-state:/var/lib/upfront upfront:VERSION
#   docker exec edge proxyctl deploy web --target web-v1:3000
#
# There is no ENTRYPOINT, so that `docker run IMAGE proxyd --log-level debug` and
# `docker run IMAGE proxyctl version` say which program they mean.
FROM scratch

COPY root/ /
COPY proxyd proxyctl /usr/local/bin/

# Named volumes take their owner from these. The socket's folder has to be ours.
COPY --chown=1001:1001 owned/ /home/upfront/
COPY --chown=1001:1001 owned/ /var/lib/upfront/
COPY --chown=1001:1001 owned/ /run/upfront/

USER 1001:1001
WORKDIR /home/upfront
ENV HOME=/home/upfront
# The state is /var/lib/upfront/state.json and the control socket
# /run/upfront/control.sock: the defaults of a user who may write there.

EXPOSE 80 443
STOPSIGNAL SIGTERM

# Asks the running proxyd; a config file or state with a problem is no reason to
# replace the container, so only the answer counts.
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 \
    CMD ["/usr/local/bin/proxyctl", "status"]

CMD ["proxyd"]
