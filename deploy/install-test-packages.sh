#!/bin/sh
# Installs what the tests need and pip cannot give: a browser for tests/browser, a MariaDB for the second
# lock, a Redis for what several processes share.
set -eu

have() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }
is_root() { [ "$(id -u)" = 0 ]; }

missing=""
# Ubuntu's chromium package is a snap, which does not run everywhere, so there Playwright's own is taken.
have chromium || grep -qs '^ID=ubuntu' /etc/os-release || missing="$missing chromium"
have mariadbd || missing="$missing mariadb-server"
have redis-server || missing="$missing redis-server"

if [ -n "$missing" ]; then
    if ! is_root || ! have apt-get; then
        echo "The tests need packages that are missing. Install them and run the command again:" >&2
        echo "    sudo apt-get install$missing" >&2
        exit 1
    fi
    echo "Installing$missing"
    apt-get update -qq
    # shellcheck disable=SC2086  # the names are words of their own
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

have chromium && exit 0
.venv/bin/python -m playwright install chromium # does nothing where it is there
if is_root; then
    .venv/bin/python -m playwright install-deps chromium
else
    echo "Where the browser does not start, the system lacks its libraries:"
    echo "    sudo .venv/bin/python -m playwright install-deps chromium"
fi
