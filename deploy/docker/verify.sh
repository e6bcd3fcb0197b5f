#!/usr/bin/env bash
# Builds the images, starts docker-compose.yml on free loopback ports, runs the end-to-end test
# against it, kills a worker during the test, and removes everything again. Where images cannot be
# pulled, packages of Debian and PyPI replace them, and the last lines of the output say which.
# Needs docker and docker compose (or docker-compose 1.29). The replacement images also need
# debootstrap, and root to run it.
set -euo pipefail

root=$(cd -- "$(dirname -- "$0")/../.." && pwd)
work=$(mktemp -d)
version=verify
standins=()
export COMPOSE_PROJECT_NAME=sera-verify-$$

say() { printf '\n== %s\n' "$*"; }

if docker compose version >/dev/null 2>&1; then compose=(docker compose); else compose=(docker-compose); fi
compose() {
    "${compose[@]}" --project-directory "$root" --env-file "$work/env" \
        -f "$root/docker-compose.yml" -f "$work/verify.yml" "$@"
}

clean_up() {
    local code=$?
    if [ -f "$work/verify.yml" ]; then
        [ "$code" -eq 0 ] || compose logs --tail 60 2>&1 | tail -n 400
        compose down --volumes --remove-orphans >/dev/null 2>&1
    fi
    [ -z "${wheels_server:-}" ] || kill "$wheels_server" 2>/dev/null
    rm -rf -- "$work"
    exit "$code"
}
trap clean_up EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

build() { # tag, Dockerfile, context, further arguments
    local tag=$1 file=$2 context=$3
    shift 3
    docker build --network host -t "$tag" -f "$file" "$@" "$context" >"$work/build.log" 2>&1 ||
        { tail -n 20 "$work/build.log" >&2; return 1; }
}

# A Debian 12 with Python as the base image, with this machine's certificates and pip configuration.
debian_base() {
    local tree=$work/tree
    debootstrap --variant=minbase --include=python3-venv,python3-pip,ca-certificates bookworm "$tree" >"$work/debootstrap.log" 2>&1 ||
        { tail -n 5 "$work/debootstrap.log" >&2; return 1; }
    rm -rf -- "$tree/var/cache/apt/archives" "$tree/var/lib/apt/lists"
    mkdir -p "$tree/var/cache/apt/archives/partial" "$tree/var/lib/apt/lists/partial"
    cp /etc/ssl/certs/ca-certificates.crt "$tree/etc/ssl/certs/ca-certificates.crt"
    { echo '[global]'; echo 'cert = /etc/ssl/certs/ca-certificates.crt'; serve_wheels; } >"$tree/etc/pip.conf"
    tar -C "$tree" -c . | docker import -c 'CMD ["python3"]' - sera-standin-python:$version >/dev/null
    rm -rf -- "$tree"
}

# If this machine's pip reads wheels from a local folder, they are served to the builds over
# loopback.
serve_wheels() {
    local folder=${PIP_FIND_LINKS:-}
    [ -d "$folder" ] || return 0
    local port
    port=$(free_port)
    python3 -m http.server --bind 127.0.0.1 --directory "$folder" "$port" >/dev/null 2>&1 &
    echo "$!" >"$work/wheels.pid"
    echo "find-links = http://127.0.0.1:$port/"
}

choose_images() {
    local python=python:3.11-slim-bookworm
    if timeout 60 docker pull -q "$python" >/dev/null 2>&1; then
        echo "SERA_VERSION=$version" >"$work/images"
        build_arguments=(--build-arg "PYTHON_IMAGE=$python")
        return
    fi
    say "images cannot be pulled here: building stand-ins"
    debian_base
    [ ! -f "$work/wheels.pid" ] || wheels_server=$(cat "$work/wheels.pid")
    build_arguments=(--build-arg "PYTHON_IMAGE=sera-standin-python:$version" --build-arg TORCH_CPU_INDEX=)
    local part
    for part in database broker proxy objects; do
        build "sera-standin-$part:$version" "$root/deploy/docker/standins/$part.Dockerfile" \
            "$([ $part = objects ] && echo "$root" || echo "$root/deploy/docker/standins")" \
            --build-arg PYTHON_IMAGE=sera-standin-python:$version
        echo "SERA_${part^^}_IMAGE=sera-standin-$part:$version"
    done >"$work/images"
    standins=("python:3.11-slim-bookworm: Debian 12 with its Python" "PostgreSQL 18: Debian's PostgreSQL 15"
        "Valkey: Debian's Redis 7.0" "SeaweedFS: moto's S3 server, in memory" "Caddy: Debian's Caddy")
    echo "SERA_VERSION=$version" >>"$work/images"
}

settings() {
    https=$(free_port)
    {
        grep -v '^SERA_VERSION=\|^COMPOSE_PROJECT_NAME=\|_PORT=\|^SERA_LISTEN=\|^SERA_PUBLIC_HOST=\|^SERA_EDGE_SUBNET=' "$root/.env.example"
        cat "$work/images"
        echo "SERA_PUBLIC_HOST=sera.internal"
        echo "SERA_LISTEN=127.0.0.1"
        echo "SERA_HTTPS_PORT=$https"
        echo "SERA_HTTP_PORT=$(free_port)"
        echo "SERA_EDGE_SUBNET=172.31.253.0/28"
        echo "SERA_WORKER_MEMORY=3g"
        echo "SERA_TRAINER_MEMORY=4g"
    } >"$work/env"
    cat >"$work/verify.yml" <<YAML
services:
  proxy:
    networks: {edge: {aliases: [sera.internal]}}
  e2e:
    image: sera-e2e:$version
    profiles: [e2e]
    networks: [edge]
    environment: {SERA_URL: "https://sera.internal", SERA_OPERATOR_PASSWORD: "\${ONE_TIME:-}", SSL_CERT_FILE: /proxy/caddy/pki/authorities/local/root.crt}
    volumes: ["proxy-data:/proxy:ro"]
YAML
}

until_healthy() { # service, seconds
    local id until=$((SECONDS + $2))
    id=$(compose ps -q "$1")
    until [ "$(docker inspect -f '{{.State.Health.Status}}' "$id")" = healthy ]; do
        [ $SECONDS -lt $until ] || { say "$1 is not healthy after $2 s"; return 1; }
        sleep 1
    done
    echo "$1 is healthy"
}

running_jobs() { compose exec -T database psql -U sera -d sera -tAc "SELECT count(*) FROM jobs WHERE state = 'running'"; }

# Suspends the worker's processes and queries the ledger. If they have a job, they are killed;
# otherwise they continue for a while.
kill_worker_with_a_job() {
    local until=$((SECONDS + 120))
    until compose exec -T worker sh -c 'kill -s STOP -- -1' && [ "$(running_jobs)" -gt 0 ]; do
        compose exec -T worker sh -c 'kill -s CONT -- -1'
        [ $SECONDS -lt $until ] || { say "the worker had no job in hand within 120 s"; return 1; }
        sleep 0.3
    done
    compose exec -T worker sh -c 'kill -9 -1' || true
}

started=$SECONDS
choose_images
say "building SERA's images"
for part in api worker trainer; do
    build "sera-$part:$version" "$root/deploy/docker/$part.Dockerfile" "$root" "${build_arguments[@]}"
done
build "sera-e2e:$version" "$root/deploy/docker/e2e.Dockerfile" "$root" --build-arg "API_IMAGE=sera-api:$version"
docker run --rm --network none sera-api:$version python -c \
    'import importlib.util as u; assert not u.find_spec("torch") and not u.find_spec("sklearn"); print("the api image has neither torch nor scikit-learn")'
for part in api worker trainer; do
    docker image inspect -f "sera-$part: {{.Size}}" sera-$part:$version | awk '{printf "%s %.0f MB\n", $1, $2 / 1e6}'
done

settings
say "bringing the stack up"
compose up -d
for part in api worker trainer beat shadow; do until_healthy $part 180; done
ONE_TIME=$(compose run --rm operator | sed -n 's/^one-time password: //p' | tr -d '\r')
export ONE_TIME
[ -n "$ONE_TIME" ] || { say "no one-time password was printed"; exit 1; }

compose exec -T api sera key create --hospital NORTH >/dev/null

say "no part may write into its own image, or be root"
for part in api worker trainer beat shadow; do
    # shellcheck disable=SC2016 # the container's shell expands it
    compose exec -T $part sh -c 'test "$(id -u)" = 10001 && ! touch /srv/sera/x 2>/dev/null' || { echo "$part may"; exit 1; }
done

say "the end-to-end test"
compose run --rm e2e

say "a worker is killed with cases in hand: they are answered all the same, and it comes back by itself"
export ONE_TIME="five words for one trial" # what the test before has chosen
compose run --rm -e SERA_KILLS=1 e2e python -m pytest -q -p no:cacheprovider tests/deployed -k outlive &
burst=$!
kill_worker_with_a_job
wait "$burst"
until_healthy worker 120

say "a backup from the gateway's container"
compose exec -T api sera backup /var/lib/sera/backups
compose exec -T api sera backup verify /var/lib/sera/backups

say "verified in $((SECONDS - started)) s"
for each in ${standins[@]+"${standins[@]}"}; do echo "stood in for $each"; done
