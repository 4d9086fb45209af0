#!/bin/sh
# Installs the peers of these tests from Debian 12's own packages, as root; nothing to do the second time.
# No service of theirs starts, now or at boot: the tests start their own, in folders of their own.
set -eu
packages='python3-slixmpp prosody lua-unbound dnsmasq-base openssl'

missing=
for package in $packages; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
[ "$(id -u)" = 0 ] || { echo "install.sh: not root, and missing:$missing" >&2; exit 1; }

mkdir -p /etc/systemd/system
ln -sfn /dev/null /etc/systemd/system/prosody.service # masked before the package brings it
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if [ ! -e /usr/sbin/policy-rc.d ]; then # keeps the package's own script from starting it
  trap 'rm -f "$log" /usr/sbin/policy-rc.d' EXIT
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod 755 /usr/sbin/policy-rc.d
fi
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
{ apt-get update && apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
update-rc.d prosody disable 2>/dev/null || true # where the init system is sysvinit
