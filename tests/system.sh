#!/bin/sh
# Installs the programs that the tests run for real. Elsewhere than as root on Debian it changes nothing: what is
# missing there is skipped by the tests, by name. Services are not started: the tests run their own.
set -eu

lacking=""
need() { # program, package
    PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1 || lacking="$lacking $2"
}
need dockerd docker.io
need busybox busybox-static
need redis-server redis-server
need rabbitmq-server rabbitmq-server
need chromium chromium
need promtool prometheus
need podman podman
need sshd openssh-server
need ssh openssh-client
need openssl openssl
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || lacking="$lacking postgresql"
ls /usr/share/fonts/opentype/noto/NotoSansCJK* >/dev/null 2>&1 || lacking="$lacking fonts-noto-cjk"

[ -n "$lacking" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "not installed, so tests that need them are skipped:$lacking" >&2
    exit 0
fi
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $lacking >/dev/null
