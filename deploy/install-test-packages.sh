#!/bin/sh
# Installs what the tests need from Debian: a browser for tests/browser, MariaDB for the second lock.
set -eu
missing=""
command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
command -v mariadbd >/dev/null 2>&1 || [ -x /usr/sbin/mariadbd ] || missing="$missing mariadb-server"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "The tests need packages that are missing. Install them and run the command again:" >&2
    echo "    sudo apt-get install$missing" >&2
    exit 1
fi
