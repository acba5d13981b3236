#!/bin/sh
# Makes the base image of the real-app test: a minimal Debian with its own Puma
# and Rack, by debootstrap and docker import, so that no image registry is
# needed. Run as root.
#
#   base.sh IMAGE          make IMAGE unless it exists
#   base.sh --force IMAGE  make it again
#
# The mirror and the suite are those that this machine itself installs from.
# The file system is kept as a tar file in $UPFRONT_CACHE (default
# ~/.cache/upfront), so that a new Docker daemon does not cost a new bootstrap.
set -eu

force=
if [ "${1:-}" = --force ]; then
	force=1
	shift
fi
image=${1:?usage: base.sh [--force] IMAGE}
cache=${UPFRONT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/upfront}
archive=$cache/e2e-real-base.tar

# mirror prints the first plain Debian mirror of the apt sources, deb822 or
# one-line style; security and third-party archives are passed over because
# debootstrap needs the main one.
mirror() {
	cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list \
		/etc/apt/sources.list.d/*.sources 2>/dev/null |
		sed -n -e 's/^URIs:[[:space:]]*\([^[:space:]]*\).*/\1/p' \
			-e 's/^deb[[:space:]]\+\(\[[^]]*\][[:space:]]*\)\{0,1\}\([^[:space:]]*\).*/\2/p' |
		grep '/debian/*$' | head -n 1
}

suite() {
	. /etc/os-release
	echo "${VERSION_CODENAME:?base.sh: this machine is not a Debian with a code name}"
}

bootstrap() {
	from=$(mirror)
	[ -n "$from" ] || {
		echo "base.sh: no Debian mirror in /etc/apt/sources.list or sources.list.d" >&2
		exit 1
	}
	command -v debootstrap >/dev/null || {
		echo "base.sh: debootstrap is not installed: apt-get install debootstrap" >&2
		exit 1
	}
	mkdir -p "$cache"
	root=$(mktemp -d)
	trap 'rm -rf "$root"' EXIT INT TERM
	debootstrap --variant=minbase --include=puma,ruby-rack "$(suite)" "$root" "$from" >&2
	rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/doc/*
	tar -C "$root" --numeric-owner -cf "$archive.new" .
	mv "$archive.new" "$archive"
}

if [ -n "$force" ] || [ ! -f "$archive" ]; then
	bootstrap
elif docker image inspect "$image" >/dev/null 2>&1; then
	exit 0
fi
docker import "$archive" "$image" >/dev/null
